"""Starting processes that outlive the command, none of which begins before it is recorded.

Each waits for a word from its maker, and ends if the maker does. Until it is ready, the maker is told what goes wrong.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from io import FileIO
from pathlib import Path

from labctl.errors import USED_UP, KernelRefused, LabError, refused
from labctl.kernel.detach import detach
from labctl.kernel.signals import ASKED_TO_END, put_off
from labctl.lab.processes import Process, start_time

Work = Callable[[Callable[[], None]], None]
"""What a started process does; it calls its argument once it is ready."""


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
