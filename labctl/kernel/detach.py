"""Leaving the command behind: what every process does that is to live on when labctl has ended.

A daemon that keeps one descriptor of its maker keeps somebody waiting: a pipe that never ends, a directory that cannot
be unmounted, a terminal that does not close. So everything is closed but what it names.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable


def detach(keep: Iterable[int], log: str = "/dev/null") -> None:
    """Become a session of its own in /, with output to `log` and no descriptor but the standard three and `keep`."""
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    close_all_but(keep)  # first: the maker may have used up all that there may be
    source = os.open("/dev/null", os.O_RDONLY)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream, fd in ((0, source), (1, target), (2, target)):
        os.dup2(fd, stream)
    for fd in {source, target} - {0, 1, 2}:
        os.close(fd)


def close_all_but(keep: Iterable[int]) -> None:
    """Close every descriptor above the standard three, except those named."""
    lowest = 3
    for fd in sorted(set(keep)):
        os.closerange(lowest, fd)
        lowest = max(lowest, fd + 1)
    os.closerange(lowest, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
