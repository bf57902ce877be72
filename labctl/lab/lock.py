"""One command at a time changes a lab, and one at a time asks its checks.

The first holds a flock(2) on the directory of the lab, the second on that of its engines. Where a lab is over hosts, a
command that changes it holds one on a file here, too, which is there for as long as that.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl.errors import MachineError, UsageError
from labctl.hosts.record import lock_of, open_lock
from labctl.lab.run_directory import ROOT, tidy
from labctl.lab.state import State, none_named
from labctl.process.disk import kept_in, refuse_if_others_may_write
from labctl.process.processes import state_of
from labctl.process.signals import block_signals


@contextmanager
def locked(lab: str) -> Iterator[State]:
    """Yield the state of a lab, made where there is none, and removed at the end where nothing is recorded in it.

    Raise UsageError with the PID of another labctl that is at work on it.
    """
    state = State(lab)
    with block_signals() as unblock:
        try:
            fd = _lock(lab, state.directory, lambda: _directory(state))
            try:
                unblock()
                yield state
            finally:
                if state.exists() and not state.begun():
                    state.remove()  # nothing came of it, or nothing is left of it
                os.close(fd)
        finally:
            tidy()


@contextmanager
def locked_over_hosts(lab: str) -> Iterator[None]:
    """Have no other command of this user change a lab over hosts in the body. Raise UsageError as `locked` does."""
    fd = _lock(lab, lock_of(lab), lambda: open_lock(lab))
    try:
        yield
    finally:
        lock_of(lab).unlink(missing_ok=True)
        os.close(fd)


def _lock(lab: str, path: Path, open_: Callable[[], int]) -> int:
    """Take the lock of a lab on what `open_` makes and opens. Return the descriptor that holds it.

    Raise UsageError where another process has it.
    """
    while True:
        try:
            fd = open_()
        except FileNotFoundError:
            continue  # another labctl has just taken the lab down
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(fd), os.stat(path)):
                return fd
        except FileNotFoundError:
            pass  # it was taken down between open and flock: what is locked has no name any more
        except BlockingIOError:
            holder = _holder(fd)
            os.close(fd)
            why = f"it is process {holder}" if holder else ""
            raise UsageError(f"another labctl is at work on lab {lab}", why, "wait until it has ended") from None
        os.close(fd)


def _directory(state: State) -> int:
    """Return a descriptor of the directory of a lab, made where there is none. Raise FileNotFoundError."""
    _make_directories(state)
    return os.open(state.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _make_directories(state: State) -> None:
    if state.directory.is_symlink():
        raise UsageError(
            f"{state.directory} is a symbolic link, and not of labctl's making",
            "",
            "remove it, or choose another --name",
        )
    if not ROOT.parent.is_dir():
        raise MachineError(
            f"there is no place for the state of a lab: {ROOT.parent} is missing", "", f"mkdir {ROOT.parent}"
        )
    try:
        with kept_in(state.directory):
            ROOT.mkdir(mode=0o700, exist_ok=True)  # parents=True would leave its mode to the umask
            refuse_if_others_may_write(ROOT)
            state.directory.mkdir(mode=0o700, exist_ok=True)
            state.directory.chmod(0o700)
    except FileNotFoundError:
        return  # another labctl has just removed ROOT with its last lab; the caller begins again


@contextmanager
def asking(state: State) -> Iterator[None]:
    """Run checks of a lab in the body, alone: they count packets, so those of another command are waited for.

    Raise UsageError where there is no lab any more, and where the other command is stopped: it may be so for ever.
    """
    try:
        fd = os.open(state.directory / "engines", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise none_named(state.lab) from None
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _refuse_where_stopped(state.lab, fd)
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _refuse_where_stopped(lab: str, fd: int) -> None:
    """Raise UsageError where who holds a lock is stopped, as by Ctrl-Z."""
    if (holder := _holder(fd)) and state_of(holder) == "T":
        raise UsageError(
            f"another labctl is amidst the checks of lab {lab}, and stopped",
            "it counts their packets, so no other can ask them",
            "bring it back with fg where Ctrl-Z has stopped it, or end it there",
        )


def at_work(state: State) -> bool:
    """Return whether another labctl is changing a lab right now; to ask is not to take the lock."""
    return _is_held(state.directory)


def at_work_over_hosts(lab: str) -> bool:
    """Return whether another labctl of this user is changing a lab over hosts right now."""
    return _is_held(lock_of(lab))


def _is_held(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return bool(_holder(fd))
    finally:
        os.close(fd)


def _holder(fd: int) -> int | None:
    """Return the PID of who holds the lock on a file, by /proc/locks (proc(5)); None where that does not tell.

    Inodes have the same numbers on every tmpfs, and each rootless environment has one of its own.
    """
    found = os.fstat(fd)
    file = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in Path("/proc/locks").read_text().splitlines():
        held = re.search(r"FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+(\S+)\s", line)
        if held and held[2] == file:
            return int(held[1])
    return None
