"""Releasing what a process has inherited, as every process does that outlives its labctl command.

A daemon that keeps a descriptor of its parent open blocks others: a pipe that never ends, a directory that cannot
be unmounted, a terminal that does not close. So everything is closed but what it names.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress


def detach(keep: Iterable[int]) -> None:
    """Become the leader of a new session (setsid(2)), and release everything inherited but `keep`."""
    os.setsid()
    release_inherited(keep)


def release_inherited(keep: Iterable[int]) -> None:
    """Change to /, set the umask to 077, and have no descriptor but `keep` and the standard three on /dev/null."""
    os.chdir("/")
    os.umask(0o077)
    with suppress(OSError):
        os.close(0)  # first: the parent may have used up all descriptors, and listing them takes one
    close_all_but(keep)
    nowhere = os.open("/dev/null", os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
        os.set_inheritable(stream, True)  # dup2 onto itself changes nothing
    if nowhere > 2:
        os.close(nowhere)


def redirect_output(log: str) -> None:
    """Append standard output and standard error to a file, which is made where there is none. Raise OSError."""
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(target, stream)
    os.close(target)


def close_all_but(keep: Iterable[int]) -> None:
    """Close every descriptor above the standard three, except those named.

    The highest is asked for, not taken from the limit: what was opened before that was lowered is above it, and where
    it is very high a Python without close_range(2) would count for minutes.
    """
    lowest, end = 3, 1 + max(int(name) for name in os.listdir("/proc/self/fd"))
    for fd in sorted({*keep, end}):
        os.closerange(lowest, fd)
        lowest = max(lowest, fd + 1)
