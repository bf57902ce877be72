"""Processes that outlive the command: found again, ended, and never mistaken for another.

A PID alone is no name: the kernel uses it again in time. A PID together with its start time is one for as
long as the machine is up (proc(5), field 22 of stat), and a pidfd is one for as long as it is open (pidfd_open(2)).
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from labctl.frozen import frozen
from labctl.process.patience import Patience
from labctl.process.proc import fields_of_stat

GRACE = 2.0
"""Seconds that a process has between SIGTERM and SIGKILL."""

GRACE_OF_SUPERVISOR = 4.0
"""The same of one that first has to end what it supervises: twice what it leaves to that."""


@frozen
class Process:
    """A process, whatever else gets its PID later: the PID and the start time in clock ticks since boot."""

    pid: int
    started: int

    def alive(self) -> bool:
        """Return whether it has not ended."""
        return start_time(self.pid) == self.started

    def stopped(self) -> bool:
        """Return whether it, or the program that it supervises, is stopped, as after SIGSTOP."""
        return any(state_of(pid) in ("T", "t") for pid in (self.pid, *children(self.pid)[:1]))


def own() -> Process:
    """Return this process."""
    return Process(os.getpid(), start_time(os.getpid()) or 0)


def start_time(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None if there is none, or only its zombie."""
    fields = fields_of_stat(pid)
    return None if not fields or fields[0] in "ZX" else int(fields[19])


def children(pid: int) -> list[int]:
    """Return the children of a process of one thread, oldest first (proc(5), /proc/PID/task/TID/children)."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def descendants(pid: int) -> list[int]:
    """Return the children of a process, theirs, and so on."""
    found = [pid]
    for each in found:  # which grows
        with suppress(OSError, ValueError):  # it has ended
            for thread in Path(f"/proc/{each}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found[1:]


def state_of(pid: int) -> str:
    """Return the letter of the state that a process is in (proc(5), field 3 of stat); empty if there is none."""
    return "".join(fields_of_stat(pid)[:1])


def title_of(pid: int) -> str:
    """Return the name of a process, 15 bytes at most (proc(5), /proc/PID/comm); empty if there is none."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def end(processes: Iterable[Process], grace: float = GRACE) -> None:
    """End processes and wait until they are gone: SIGTERM to all, SIGKILL after `grace` seconds to who is left."""
    kill(_left_after(signal.SIGTERM, list(processes), grace))


def kill(processes: Sequence[Process]) -> None:
    """End processes with SIGKILL, and wait until they are gone."""
    _left_after(signal.SIGKILL, processes, 10.0)


def _left_after(number: signal.Signals, processes: Sequence[Process], patience: float) -> list[Process]:
    """Send a signal to all of them, and wait `patience` seconds at most. Return those that have not ended.

    Who is stopped hears of nothing but SIGKILL until it is continued, as after Ctrl-Z: so it is (signal(7)).
    Never more than one pidfd is open: there may be more processes than descriptors.
    """
    for process in processes:
        with opened(process) as pidfd, suppress(ProcessLookupError):
            if pidfd is not None:
                signal.pidfd_send_signal(pidfd, number)
                signal.pidfd_send_signal(pidfd, signal.SIGCONT)
    waiting = Patience(patience, *(process.pid for process in processes))
    return [process for process in processes if not _ends(process, waiting)]


def _ends(process: Process, waiting: Patience) -> bool:
    """Wait for a process to end, as long as there is time. Return whether it has."""
    with opened(process) as pidfd:
        if pidfd is None:
            return True
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return waiting.wait(poll)


@contextmanager
def opened(process: Process) -> Iterator[int | None]:
    """Yield a pidfd of exactly that process, None if it is gone: the start time is compared once it is open.

    A zombie counts: while it has threads that live, it has not ended.
    """
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        fields = fields_of_stat(process.pid)
        yield pidfd if fields and int(fields[19]) == process.started else None
    finally:
        os.close(pidfd)
