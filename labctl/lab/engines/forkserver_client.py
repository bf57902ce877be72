"""Starting engines, none of which begins before it is recorded.

They are forked by another process (forkserver.py), while the command makes what they will need. Each waits for a byte
from the command, and reports to it until it is ready.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from labctl.errors import KernelRefused, kernel_errors_as
from labctl.lab.engines.task import FORKER, Task
from labctl.process import pickling
from labctl.process.processes import Process, opened, start_time
from labctl.process.python_code import python

if TYPE_CHECKING:
    from labctl.rootless.context import Context

Record = Callable[[int, Process], None]
"""Called with the number and the process of each engine, before any begins."""

Fork = Callable[[Sequence[Task]], AbstractContextManager["Waiting"]]
"""Has engines forked. Those that have not begun at the end of the body are ended."""


_LARGEST = 1 << 18
"""Bytes of an answer."""

# While modules are loaded there is no garbage; the server has it looked for once that is done. `inspect` is loaded by
# `dataclasses`, for signatures that nothing asks for, and would be a tenth of what engines have in memory.
BEGINNING = (
    "import gc; gc.disable(); from labctl.process.lazy_import import lazily; lazily('inspect'); "
    "from labctl.lab.engines import forkserver"
)
"""What the process that forks engines does first: it has loaded what they need, but for `forkserver.preload`."""


class Waiting:
    """Engines that are being forked, and wait for permission to begin."""

    def __init__(self, tasks: Sequence[Task], server: int, permit: int, answers: socket.socket) -> None:
        self._tasks = tasks
        self._server = server
        self._permit = permit
        self._answers = answers
        self._heard: dict[int, Any] = {}
        self._begun = False

    def begin(self, record: Record) -> Iterator[Process]:
        """Have all recorded, then let them begin. Yield each as soon as it is ready, in order.

        Raise the LabError of the first that failed.
        """
        pids = self._answer(FORKER, "the process that forks engines", self._server)
        processes = [self._process(number, pid) for number, pid in enumerate(pids)]
        for number, process in enumerate(processes):
            record(number, process)
        self._begun = True
        with suppress(BrokenPipeError):  # all have ended: their answers say why
            os.write(self._permit, b"g" * len(processes))
        for number, process in enumerate(processes):
            with opened(process) as pidfd:
                self._answer(number, self._tasks[number].name, pidfd)
            yield process

    def _process(self, number: int, pid: int) -> Process:
        """Return the process with this PID. If it has ended, raise what it reported before."""
        started = start_time(pid)
        if started is None:
            name = self._tasks[number].name
            self._answer(number, name, None)
            raise _ended(name)
        return Process(pid, started)

    def close(self) -> None:
        """End those that have not begun, and wait until they are gone: they hold the other end of the answers."""
        os.close(self._permit)
        while not self._begun and self._answers.recv(_LARGEST):
            pass
        self._answers.close()

    def _answer(self, number: int, name: str, pidfd: int | None) -> Any:
        """Wait for the answer of a process. Return it, or raise it where it is an error; raise LabError if it ended.

        Without a pidfd it has ended already, and only an answer that it has sent before counts.
        """
        either = select.poll()
        if pidfd is not None:
            either.register(pidfd, select.POLLIN)  # polled before the answers: after its end there are no more
        either.register(self._answers, select.POLLIN)
        while number not in self._heard:
            ready = dict(either.poll(0 if pidfd is None else None))
            said = self._answers.recv(_LARGEST) if self._answers.fileno() in ready else b""
            if not said:
                raise _ended(name)
            whose, answer = pickling.loads(said)
            self._heard[whose] = answer
        answer = self._heard[number]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def _ended(name: str) -> KernelRefused:
    return KernelRefused(f"{name} ended before it was ready", "", "labctl doctor tells what this machine lacks")


class Forkserver:
    """The process that forks engines on request."""

    def __init__(self, pidfd: int, requests: socket.socket) -> None:
        self._pidfd = pidfd
        self._requests = requests

    def at(self, context: Context) -> Fork:
        """Return what has engines forked in a context."""
        return partial(self._forked, context)

    @contextmanager
    def _forked(self, context: Context, tasks: Sequence[Task]) -> Iterator[Waiting]:
        with ExitStack() as ours, kernel_errors_as("the engines could not be started"):
            with ExitStack() as theirs:
                go, permit = os.pipe()
                theirs.callback(os.close, go)
                ours.callback(os.close, permit)
                answers, answer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                theirs.enter_context(answer)
                ours.enter_context(answers)
                with suppress(BrokenPipeError):  # it has ended, as waiting for its answer will show
                    _ask(self._requests, context, tasks, go, answer.fileno())
            ours.pop_all()
        with closing(Waiting(tasks, self._pidfd, permit, answers)) as waiting:
            yield waiting


def _ask(server: socket.socket, context: Context, tasks: Sequence[Task], go: int, answers: int) -> None:
    lab, address = context.address
    file = os.memfd_create("tasks")
    try:
        with open(file, "wb", closefd=False) as whole:
            pickling.dump((lab, tasks), whole)
        os.lseek(file, 0, os.SEEK_SET)
        socket.send_fds(server, [b"fork"], [file, go, answers, *address])
    finally:
        os.close(file)


@contextmanager
def forkserver() -> Iterator[Forkserver]:
    """Yield the process that forks engines; it is ended at the end of the body. Raise KernelRefused."""
    with kernel_errors_as("the process that forks engines could not be started"):
        requests, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        asked.set_inheritable(True)
        words = python(f"{BEGINNING}; forkserver.main({asked.fileno()})")
        # In a session of its own: Ctrl-C is for the command, which may need this process to put a lab back as it was.
        pid = os.posix_spawn(words[0], words, os.environ, setsid=True)
        asked.close()
        pidfd = os.pidfd_open(pid)
    try:
        yield Forkserver(pidfd, requests)
    finally:
        requests.close()
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.close(pidfd)
        os.waitpid(pid, 0)
