"""The processes of the machine, as a test sees them, and who reaps those that have lost their parent."""

from __future__ import annotations

import ctypes
import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
PF_KTHREAD = 0x200000  # linux/sched.h
NS_GET_PARENT = 0xB702  # ioctl_ns(2)
_started: list[subprocess.Popen[str]] = []


@dataclass(frozen=True)
class Process:
    """One process, as /proc/PID/stat shows it."""

    pid: int
    state: str
    parent: int

    @property
    def path(self) -> Path:
        """Where the rest of it is shown."""
        return Path("/proc", str(self.pid))

    def title(self) -> str:
        """Return its words. Raise OSError where it is gone."""
        with open(f"/proc/{self.pid}/cmdline", "rb") as words:
            return words.read().replace(b"\0", b" ").decode()

    def real_uid(self) -> int:
        """Return its user; /proc/PID belongs to root where a process has changed its own. Raise OSError as `title`."""
        with open(f"/proc/{self.pid}/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("Uid:"))

    def is_in_user_namespace(self, top: Path) -> bool:
        """Return whether its user namespace is this one or was made in it, however deep. Raise OSError as `title`."""
        wanted = top.stat()
        fd = os.open(self.path / "ns/user", os.O_RDONLY)
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


def living() -> Iterator[Process]:
    """Yield the processes that have not ended."""
    return (process for process in _processes() if process.state not in "ZX")


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


def _processes() -> Iterator[Process]:
    """Yield all that there are but threads of the kernel (proc_pid_stat(5))."""
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        with suppress(OSError):
            with open(f"/proc/{name}/stat", "rb") as file:
                state, parent, *_, flags = file.read().rpartition(b")")[2].split(None, 7)[:7]
            if not int(flags) & PF_KTHREAD:
                yield Process(int(name), state.decode(), int(parent))
