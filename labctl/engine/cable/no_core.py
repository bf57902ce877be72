"""A process that has a key in its memory leaves no core, which would have it on disk."""

from __future__ import annotations

import resource


def dump_no_core() -> None:
    """Have the kernel write no core of this process, nor hand it to a program, and so of those that it starts.

    To a program that is named in core_pattern a limit of 1 forbids it (fs/coredump.c), and no file is so small. Where
    the administrator has set 0, that stays: to raise it takes a right.
    """
    limit = 1 if resource.getrlimit(resource.RLIMIT_CORE)[1] else 0
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
