"""Starting processes that outlive the command, none of which begins before it is recorded.

To fork a process, and what Python then does in it for the first time, takes a millisecond or two, most of it page
faults. So one child does all of that, while its maker makes what they will need. Each waits for a word from the maker,
and ends if the maker does. Until it is ready, the maker is told what goes wrong.
"""

from __future__ import annotations

import gc
import os
import pickle
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from labctl.errors import USED_UP, KernelRefused, LabError, refused
from labctl.kernel.detach import close_all_but, detach
from labctl.kernel.holder import portable
from labctl.kernel.signals import ASKED_TO_END, put_off
from labctl.lab.processes import Process, opened, start_time

Work = Callable[[Callable[[], None]], None]
"""What a started process does; it calls its argument once it is ready."""

_ALL = -1
"""The number of the one that forks the others."""


@dataclass(frozen=True)
class Plan:
    """A process that is to be started: what it is called in an error, its title, its output, and what it does."""

    what: str
    title: str
    log: Path
    record: Callable[[Process], None]
    work: Work


class Waiting:
    """Processes that are being forked, and wait for permission to begin."""

    def __init__(self, plans: Sequence[Plan], forker: int, permit: int, answers: socket.socket) -> None:
        self._plans = plans
        self._forker = forker
        self._permit = permit
        self._answers = answers
        self._heard: dict[int, Any] = {}

    def begin(self) -> Iterator[Process]:
        """Have every `record` called, and then all begin; gives each as soon as it is ready, in order.

        Raises the LabError of the first that failed.
        """
        pids = self._answer(_ALL, "the process that forks the engines", self._forker)
        processes = [_process(plan.what, pid) for plan, pid in zip(self._plans, pids, strict=True)]
        for plan, process in zip(self._plans, processes, strict=True):
            plan.record(process)
        os.write(self._permit, b"g" * len(processes))
        for number, process in enumerate(processes):
            with opened(process) as pidfd:
                self._answer(number, self._plans[number].what, pidfd)
            yield process

    def _answer(self, number: int, what: str, pidfd: int | None) -> Any:
        """What a process says, once it says something. Raises what kept it from that."""
        either = select.poll()
        either.register(self._answers, select.POLLIN)
        if pidfd is not None:
            either.register(pidfd, select.POLLIN)
        while number not in self._heard:
            ready = dict(either.poll(0 if pidfd is None else None))
            said = self._answers.recv(1 << 18) if self._answers.fileno() in ready else b""
            if not said:
                raise _ended(what)
            whose, answer = pickle.loads(said)
            self._heard[whose] = answer
        answer = self._heard[number]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def _process(what: str, pid: int) -> Process:
    """The name of a process for good. Raises KernelRefused where it has ended already."""
    started = start_time(pid)
    if started is None:
        raise _ended(what)
    return Process(pid, started)


def _ended(what: str) -> KernelRefused:
    return KernelRefused(f"{what} ended before it was ready", "", "labctl doctor tells what this machine lacks")


@contextmanager
def forked(plans: Sequence[Plan], preload: Callable[[], None]) -> Iterator[Waiting]:
    """Fork processes that outlive this one; those that have not begun by the end of the body never do.

    `preload` loads what all of them need: a fork shares what is loaded before it.
    """
    with refused("processes could not be started", USED_UP):
        go, permit = os.pipe()
        answers, answer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = _fork()
    if not pid:
        _fork_all(plans, preload, go, answer)
    os.close(go)
    answer.close()
    forker = os.pidfd_open(pid)
    try:
        yield Waiting(plans, forker, permit, answers)
    finally:
        os.close(permit)
        answers.close()
        signal.pidfd_send_signal(forker, signal.SIGKILL)  # it has long ended, but for what has failed meanwhile
        os.close(forker)
        os.waitpid(pid, 0)


def _fork_all(plans: Sequence[Plan], preload: Callable[[], None], go: int, answer: socket.socket) -> NoReturn:
    try:
        # Our end of the permit is closed with all else: if the maker dies before it gives that, `go` ends.
        close_all_but((go, answer.fileno()))
        preload()
        import setproctitle  # noqa: F401

        gc.freeze()  # no copying of pages for a mere look
        pids = [_fork_one(number, plan, go, answer) for number, plan in enumerate(plans)]
        answer.send(pickle.dumps((_ALL, pids)))
    except BaseException as error:
        answer.send(pickle.dumps((_ALL, portable(error))))
    finally:
        os._exit(0)


def _fork_one(number: int, plan: Plan, go: int, answer: socket.socket) -> int:
    """Fork a child that waits for a word from `go`, and until then does nothing that could be in anybody's way."""
    with refused(f"{plan.what} could not be started", USED_UP):
        pid = _fork()
    if pid == 0:
        try:
            _settle(plan.title)
            if os.read(go, 1):
                _live(plan, number, answer)
        finally:
            os._exit(0)
    return pid


def _fork() -> int:
    """Fork a child that has no moment in which it answers a signal as its maker does."""
    with put_off():
        pid = os.fork()
        if pid == 0:
            for number in ASKED_TO_END:
                signal.signal(number, signal.SIG_DFL)
        return pid


def _settle(title: str) -> None:
    """A title of one's own."""
    from setproctitle import setproctitle

    setproctitle(title)


def _live(plan: Plan, number: int, maker: socket.socket) -> None:
    """Leave the maker behind and do the work; until it is ready, the maker is told what goes wrong."""

    def ready() -> None:
        maker.send(pickle.dumps((number, None)))
        maker.close()

    try:
        with refused(f"{plan.what} could not be started"):
            detach((maker.fileno(),), str(plan.log))
        with refused(f"{plan.what} broke off"), _logged():
            plan.work(ready)
    except LabError as error:
        if maker.fileno() >= 0:
            maker.send(pickle.dumps((number, error)))


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
