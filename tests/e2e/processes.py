"""The processes of the machine, as a test sees them, and who reaps those that have lost their parent."""

from __future__ import annotations

import ctypes
import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
NS_GET_PARENT = 0xB702  # ioctl_ns(2)
_started: list[subprocess.Popen[str]] = []


def pids() -> Iterator[int]:
    """Yield the numbers of all processes, of the dead that nobody has waited for, too."""
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def effective_uid(pid: int) -> int:
    """Return the user of a process (task_dump_owner() in fs/proc/base.c). Raise OSError where it is gone."""
    return os.stat(f"/proc/{pid}").st_uid


def has_ended(pid: int) -> bool:
    """Return whether a process is dead, though nobody has waited for it (proc_pid_stat(5)). Raise OSError as above."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split(None, 1)[0] in (b"Z", b"X")


def title(pid: int) -> str:
    """Return the words of a process. Raise OSError as above."""
    with open(f"/proc/{pid}/cmdline", "rb") as words:
        return words.read().replace(b"\0", b" ").decode()


def is_in_user_namespace(pid: int, top: Path) -> bool:
    """Return whether a process is in this user namespace or in one that was made in it, however deep.

    Raise OSError as above.
    """
    wanted = top.stat()
    fd = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    while not os.path.samestat(os.fstat(fd), wanted):
        try:
            above = fcntl.ioctl(fd, NS_GET_PARENT)
        except PermissionError:  # it would be above our own
            return False
        finally:
            os.close(fd)
        fd = above
    os.close(fd)
    return True


@contextmanager
def orphans_are_ours() -> Iterator[None]:
    """Whoever has lost its parent is reaped here, at each look, and not by the machine's init.

    A rootless environment is gone when its dead are reaped, and some inits take a second for each.
    """
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0)


def started(process: subprocess.Popen[str]) -> None:
    """Remember that a process has somebody who waits for it."""
    _started.append(process)


def reap_orphans() -> None:
    """Reap those dead that nobody of ours has started.

    One that was started and waited for is nobody's: its PID may have been given to another process since.
    """
    _started[:] = [process for process in _started if process.returncode is None]
    waited_for = {process.pid for process in _started}
    for child in _children():
        if child not in waited_for:
            with suppress(ChildProcessError):
                os.waitpid(child, os.WNOHANG)


def _children() -> Iterator[int]:
    """Yield the children of this process, the dead ones among them (proc_tid_children(5))."""
    for thread in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{thread}/children") as children:
            yield from map(int, children.read().split())
