"""Processes that outlive the command: started, found again, ended, and never mistaken for another.

A PID alone is no name: the kernel gives it to somebody else in time. A PID together with its start time is one for as
long as the machine is up (proc(5), field 22 of stat), and a pidfd is one for as long as it is open (pidfd_open(2)).
A process is recorded before it may do anything: it waits for a word from its maker, and ends if the maker does.
"""

from __future__ import annotations

import gc
import os
import pickle
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from labctl.errors import USED_UP, KernelRefused, LabError, kernel_words, refused
from labctl.kernel.detach import detach
from labctl.kernel.namespaces import NamespaceId
from labctl.kernel.signals import ASKED_TO_END, put_off

GRACE = 2.0
"""Seconds that a process has between SIGTERM and SIGKILL."""

Work = Callable[[Callable[[], None]], None]
"""What a started process does; it calls its argument once it is ready."""


@dataclass(frozen=True)
class Process:
    """A process for good: its PID and its start time in clock ticks since boot."""

    pid: int
    started: int

    def alive(self) -> bool:
        return start_time(self.pid) == self.started


def start_time(pid: int) -> int | None:
    """Clock ticks since boot at which a process started; None where there is none or only its zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat[stat.rindex(")") + 2 :].split()  # the name in parentheses may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


class Starting:
    """A process that was started and has not said yet that it is ready."""

    def __init__(self, what: str, process: Process, answers: int) -> None:
        self._what = what
        self._answers = answers
        self.process = process

    def wait(self) -> None:
        """Wait until it is ready. Raises the LabError that kept it from that."""
        with open(self._answers, "rb") as answers:
            answer = answers.read()
        if answer == b"ready":
            return
        if answer:
            raise pickle.loads(answer)
        raise KernelRefused(
            f"{self._what} ended before it was ready", "", "labctl doctor tells what this machine lacks"
        )


def start(what: str, title: str, log: Path, record: Callable[[Process], None], work: Work) -> Starting:
    """Start a process that outlives this one; `record` is called before it does anything."""
    import setproctitle  # noqa: F401  # here, before the fork: it is loaded once for all

    with refused(f"{what} could not be started", USED_UP):
        go, permit = os.pipe()
        answers, answer = os.pipe()
        pid = _fork()
    if pid == 0:
        try:
            # The maker's end closed: if the maker dies before its permit, the read below ends too.
            os.close(permit)
            detach((go, answer), str(log))
            if os.read(go, 1):
                os.close(go)
                _settle(title)
                _answering(what, work, answer)
        except BaseException:
            traceback.print_exc()  # into the log: the one place where it can still be read
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.close(go)
    os.close(answer)
    try:
        started = start_time(pid)
        assert started is not None, "a child that waits for us cannot have ended"
        process = Process(pid, started)
        record(process)
        os.write(permit, b"g")
    finally:
        os.close(permit)
    return Starting(what, process, answers)


def _fork() -> int:
    """Fork a child that has no moment in which it answers a signal as its maker does."""
    with put_off():
        pid = os.fork()
        if pid == 0:
            for number in ASKED_TO_END:
                signal.signal(number, signal.SIG_DFL)
        return pid


def _settle(title: str) -> None:
    """A title of one's own; and no copying of pages that are shared with the maker for a mere look."""
    from setproctitle import setproctitle

    gc.freeze()
    setproctitle(title)


def _answering(what: str, work: Work, answer: int) -> None:
    def ready() -> None:
        os.write(answer, b"ready")
        os.close(answer)

    try:
        work(ready)
    except LabError as error:
        os.write(answer, pickle.dumps(error))
    except OSError as error:
        with suppress(OSError):  # it is closed where the process was ready before
            os.write(answer, pickle.dumps(KernelRefused(f"{what} broke off", kernel_words(error))))
        raise


def end(processes: Iterable[Process]) -> None:
    """End processes and wait until they are gone: SIGTERM to all, SIGKILL to those that are still there after GRACE."""
    pidfds = [fd for process in processes if (fd := _open(process)) is not None]
    for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, 10.0)):
        for fd in pidfds:
            try:
                signal.pidfd_send_signal(fd, number)
            except ProcessLookupError:
                continue
        pidfds = _still_there(pidfds, patience)
    for fd in pidfds:
        os.close(fd)


def _open(process: Process) -> int | None:
    """A pidfd of exactly that process: its start time is compared after the pidfd is taken."""
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    if process.alive():
        return fd
    os.close(fd)
    return None


def _still_there(pidfds: list[int], patience: float) -> list[int]:
    """Wait for processes to end, `patience` seconds at most; gives those that have not."""
    waiting = set(pidfds)
    poll = select.poll()
    for fd in waiting:
        poll.register(fd, select.POLLIN)
    deadline = time.monotonic() + patience
    while waiting and (left := deadline - time.monotonic()) > 0:
        for fd, _ in poll.poll(left * 1000):
            poll.unregister(fd)
            waiting.discard(fd)
            os.close(fd)
    return sorted(waiting)


def inside(wanted: Iterable[NamespaceId]) -> list[Process]:
    """Every process that is in one of these network namespaces, but for ourselves."""
    spaces = {(known.device, known.inode) for known in wanted}
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            there = os.stat(f"/proc/{entry.name}/ns/net")
        except OSError:
            continue
        started = start_time(int(entry.name))
        if started is not None and (there.st_dev, there.st_ino) in spaces:
            found.append(Process(int(entry.name), started))
    return found
