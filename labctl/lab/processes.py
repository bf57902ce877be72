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
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from io import FileIO
from pathlib import Path

from labctl.errors import USED_UP, KernelRefused, LabError, refused
from labctl.kernel.detach import detach
from labctl.kernel.namespaces import NamespaceId, is_recorded
from labctl.kernel.signals import ASKED_TO_END, put_off

GRACE = 2.0
"""Seconds that a process has between SIGTERM and SIGKILL."""

LOOKS_AGAIN = 5
"""How often it is looked once more who is in a namespace that is to go."""

Work = Callable[[Callable[[], None]], None]
"""What a started process does; it calls its argument once it is ready."""


@dataclass(frozen=True)
class Process:
    """A process for good: its PID and its start time in clock ticks since boot."""

    pid: int
    started: int

    def alive(self) -> bool:
        return start_time(self.pid) == self.started

    def stopped(self) -> bool:
        """Whether it runs no more until it is told to go on, as after SIGSTOP."""
        fields = _fields_of_stat(self.pid)
        return bool(fields) and fields[0] in "Tt"


def start_time(pid: int) -> int | None:
    """Clock ticks since boot at which a process started; None where there is none or only its zombie."""
    fields = _fields_of_stat(pid)
    return None if not fields or fields[0] in "ZX" else int(fields[19])


def _fields_of_stat(pid: int) -> list[str]:
    """What stands behind the name in /proc/PID/stat (proc(5)), from the state on; empty where there is no process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return stat[stat.rindex(")") + 2 :].split()  # the name in parentheses may hold anything


class Starting:
    """A process that was started and has not said yet that it is ready."""

    def __init__(self, what: str, pid: int, answers: FileIO) -> None:
        self._what = what
        self._pid = pid
        self._answers = answers

    @cached_property
    def process(self) -> Process:
        """Its name for good. Raises a LabError where it has ended already."""
        started = start_time(self._pid)
        if started is None:
            raise self._refused(self._answers.readall())
        return Process(self._pid, started)

    def wait(self) -> None:
        """Wait until it is ready. Raises the LabError that kept it from that."""
        answer = self._answers.readall()
        if answer != b"ready":
            raise self._refused(answer)

    def _refused(self, answer: bytes) -> LabError:
        if answer:
            error: LabError = pickle.loads(answer)
            return error
        return KernelRefused(
            f"{self._what} ended before it was ready", "", "labctl doctor tells what this machine lacks"
        )

    def close(self) -> None:
        self._answers.close()


@dataclass(frozen=True)
class Plan:
    """A process that is to be started: what it is called in an error, its title, its output, and what it does."""

    what: str
    title: str
    log: Path
    record: Callable[[Process], None]
    work: Work


@contextmanager
def start(plans: Sequence[Plan]) -> Iterator[list[Starting]]:
    """Start processes that outlive this one; every `record` is called before any of them does anything.

    All are forked before one is recorded: a fork shares every page with the child, and whatever is written to after
    it is copied first. So little happens between two forks, and after the last nothing is shared anew.
    Raises the LabError of the first that ended before it was recorded.
    """
    import setproctitle  # noqa: F401  # here, before the fork: it is loaded once for all

    with refused("processes could not be started", USED_UP):
        go, permit = os.pipe()
    with ExitStack() as listening:  # until the end of the body; whoever takes back needs descriptors, too
        try:
            starting = [listening.enter_context(closing(_waiting(plan, go, permit))) for plan in plans]
            for plan, each in zip(plans, starting, strict=True):
                plan.record(each.process)
            os.write(permit, b"g" * len(plans))
        finally:
            os.close(permit)
            os.close(go)
        yield starting


def _waiting(plan: Plan, go: int, permit: int) -> Starting:
    """Fork a child that waits for a word from `go`, and until then does nothing that could be in anybody's way."""
    with refused(f"{plan.what} could not be started", USED_UP):
        answers, answer = os.pipe()
        pid = _fork()
    if pid == 0:
        try:
            # Our end of the permit closed: if the maker dies before it gives that, the read below ends too.
            os.close(permit)
            if os.read(go, 1):
                _live(plan, FileIO(answer, "wb"))
        finally:
            os._exit(0)
    os.close(answer)
    return Starting(plan.what, pid, FileIO(answers))


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


def _live(plan: Plan, maker: FileIO) -> None:
    """Leave the maker behind and do the work; until it is ready, the maker is told what goes wrong."""

    def ready() -> None:
        maker.write(b"ready")
        maker.close()

    try:
        with refused(f"{plan.what} could not be started"):
            detach((maker.fileno(),), str(plan.log))
        with refused(f"{plan.what} broke off"), _logged():
            _settle(plan.title)
            plan.work(ready)
    except LabError as error:
        if not maker.closed:
            maker.write(pickle.dumps(error))


@contextmanager
def _logged() -> Iterator[None]:
    """What goes wrong in the body goes into the log too: later it is the one place where it can be read."""
    try:
        yield
    except BaseException as error:
        with suppress(OSError):  # the disk may be full
            print(error if isinstance(error, LabError) else traceback.format_exc(), file=sys.stderr)
        raise
    finally:
        with suppress(OSError):
            sys.stdout.flush()


def end(processes: Iterable[Process]) -> None:
    """End processes and wait until they are gone: SIGTERM to all, SIGKILL to those that are still there after GRACE."""
    kill(_left_after(signal.SIGTERM, list(processes), GRACE))


def kill(processes: Sequence[Process]) -> None:
    """End processes that are not asked, and wait until they are gone."""
    _left_after(signal.SIGKILL, processes, 10.0)


def _left_after(number: signal.Signals, processes: Sequence[Process], patience: float) -> list[Process]:
    """Send all of them a signal, and wait `patience` seconds at most for all to end; gives those that have not.

    Never more than one pidfd is open: there may be more processes than descriptors.
    """
    for process in processes:
        with _opened(process) as pidfd, suppress(ProcessLookupError):
            if pidfd is not None:
                signal.pidfd_send_signal(pidfd, number)
    deadline = time.monotonic() + patience
    return [process for process in processes if not _ended_by(deadline, process)]


def _ended_by(deadline: float, process: Process) -> bool:
    """Wait for the end of a process, as long as there is time; tells whether it has come."""
    with _opened(process) as pidfd:
        if pidfd is None:
            return True
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(max(0, deadline - time.monotonic()) * 1000))


@contextmanager
def _opened(process: Process) -> Iterator[int | None]:
    """A pidfd of exactly that process, whose start time is compared after it is taken; None where it is gone.

    A zombie counts: while it has threads that live, it has not ended.
    """
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        fields = _fields_of_stat(process.pid)
        yield pidfd if fields and int(fields[19]) == process.started else None
    finally:
        os.close(pidfd)


def end_inside(wanted: Collection[NamespaceId]) -> list[Process]:
    """End every process that is in one of these network namespaces; gives all that were found.

    Who is asked to end may start another process first. So it is looked again until nobody is there any more, and only
    those that were there from the first are asked.
    """
    ended = []
    for finish in (end, *[kill] * LOOKS_AGAIN):
        found = _inside(wanted)
        if not found:
            break
        finish(found)
        ended += found
    return ended


def _inside(wanted: Iterable[NamespaceId]) -> list[Process]:
    """Every process that is in one of these network namespaces, under a name or not, but for ourselves."""
    spaces = {(known.device, known.inode): known for known in wanted}
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        file = Path(entry.path, "ns/net")
        try:
            there = os.stat(file)
        except OSError:
            continue
        known = spaces.get((there.st_dev, there.st_ino))
        if known is None:
            continue
        started = start_time(int(entry.name))
        if started is not None and is_recorded(file, known):
            found.append(Process(int(entry.name), started))
    return found
