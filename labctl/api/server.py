"""The process that works for a Python program: no thread, no terminal, and nothing of the program's own memory.

    P  the Python program, with as many threads as it likes
    S  this process, started by the first call: everything is loaded, and it waits for requests
    W  forked for a request: does the work as a command of labctl would, tells of it on a line to P, and ends

A fork of P itself would be unsafe where it has threads: another one may hold a lock at that moment, which would never
be released in the child. And P would have to enter the namespaces of a lab, or to change its signal handlers. S forks
safely, since it has one thread, and quickly, since it does nothing but that.

What P asks for comes on one socket, a message each: work, with descriptors of a file with a Request, of W's end of the
line, and of what the work takes; an interrupt, as Ctrl-C would be, for W and all that it has started; and which labs
are to end with P. When P ends, however it ends, so does the other end of the socket: W is asked to end, which takes
back what it had begun, and those labs are ended.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, NoReturn

from labctl.api.caller import Caller, Work
from labctl.errors import LabError, UsageError, kernel_words
from labctl.frozen import frozen
from labctl.process import pickling
from labctl.process.child import portable
from labctl.process.detach import close_all_but, release_inherited
from labctl.process.line import Hangup, Line
from labctl.process.signals import TERMINATION, fork, ignored, unwind
from labctl.process.syscalls import die_with_parent
from labctl.process.title import set_title

MOST_DESCRIPTORS = 8
MOST_BYTES = 1 << 16

SETTLED = "settled"
"""What is said last, once what some work did lasts, or is taken back."""

LAST_WORDS = 10.0
"""Seconds for which work that was cut off may take back what it had begun, once the program has ended."""


@frozen
class Request:
    """Some work, and where it is done: environment, directory and umask of the program."""

    work: Work[Any]
    environment: Mapping[str, str]
    directory: str
    umask: int
    streams: int = 0  # how many of the descriptors become the standard streams


class Do(NamedTuple):
    """Do some work, whose number is used for nothing else."""

    number: int


class Interrupt(NamedTuple):
    """Interrupt some work, as Ctrl-C does."""

    number: int


class Bind(NamedTuple):
    """End a lab when the program ends, however that ends."""

    lab: str
    end: Work[Any]


class Free(NamedTuple):
    """Do not end a lab when the program ends."""

    lab: str


class Told(NamedTuple):
    """Something has happened, while some work is done."""

    what: object


class Reply(NamedTuple):
    """What came of some work."""

    error: BaseException | None
    result: object

    def outcome(self) -> object:
        """Return the result. Raise the error."""
        error, result = self
        del self
        try:
            if error is not None:
                raise error
            return result
        finally:
            del error  # else the error holds this frame by its traceback, and this frame the error


def main() -> NoReturn:
    """Serve the requests that come on the standard input, until its other end is closed."""
    for number in (*TERMINATION, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the thread of the program that began may leave signals to another
    if os.fork():
        os._exit(0)  # it is no child of the program: what ends that with its children leaves it to end the labs
    set_title("labctl: works for a Python program")
    gc.disable()  # while modules are loaded there is no garbage
    _preload()
    gc.enable()
    gc.freeze()  # a collection would write to, and so copy, pages that are shared with each W
    requests = os.dup(0)
    release_inherited((requests,))
    try:
        with socket.socket(fileno=requests) as connection:
            _Server(connection).serve()
    finally:
        os._exit(0)


def _preload() -> None:
    """Load what work needs, once."""
    import labctl.api.sources
    import labctl.checks.probes
    import labctl.lab.down
    import labctl.lab.engines.forkserver_client
    import labctl.lab.execute
    import labctl.lab.status
    import labctl.lab.up
    import labctl.lab.verify  # noqa: F401


class _Worker(NamedTuple):
    number: int
    pid: int
    pidfd: int


class _Server:
    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._workers: dict[int, _Worker] = {}  # by pidfd
        self._bound: dict[str, Work[Any]] = {}

    def serve(self) -> None:
        while True:
            ready = self._wait(None)
            if self._requests.fileno() in ready:
                said, descriptors, _, _ = socket.recv_fds(self._requests, MOST_BYTES, MOST_DESCRIPTORS)
                if not said:
                    break
                self._answer(pickling.loads(said), descriptors)
        self._end()

    def _wait(self, seconds: float | None, *, also_requests: bool = True) -> set[int]:
        """Wait for a request or the end of a worker; reap workers that have ended. Return what is ready."""
        poll = select.poll()
        for descriptor in (*self._workers, *([self._requests.fileno()] if also_requests else [])):
            poll.register(descriptor, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(None if seconds is None else 1000 * seconds)}
        for pidfd in ready & self._workers.keys():
            os.waitpid(self._workers.pop(pidfd).pid, 0)
            os.close(pidfd)
        return ready

    def _answer(self, request: object, descriptors: Sequence[int]) -> None:
        match request:
            case Do(number):
                self._start(number, partial(_work, *descriptors))
                for descriptor in descriptors:
                    os.close(descriptor)
            case Interrupt(number):
                for worker in self._workers.values():
                    if worker.number == number:
                        _signal(worker, signal.SIGINT)
            case Bind(lab, end):
                self._bound[lab] = end
            case Free(lab):
                self._bound.pop(lab, None)

    def _start(self, number: int, work: Callable[[], object]) -> None:
        here = os.getpid()
        try:
            pid = fork()
        except OSError:  # the line to the program closes, which says that nothing became of it
            return
        if not pid:
            _in_worker(here, work)
        with suppress(OSError):
            os.setpgid(pid, pid)  # as it does itself: whoever comes first
        pidfd = os.pidfd_open(pid)
        self._workers[pidfd] = _Worker(number, pid, pidfd)

    def _end(self) -> None:
        """The program has ended: have all work end, and end the labs that were to end with it."""
        for number, seconds in ((signal.SIGTERM, LAST_WORDS), (signal.SIGKILL, LAST_WORDS)):
            for worker in self._workers.values():
                _signal(worker, number)
            end = time.monotonic() + seconds
            while self._workers and (left := end - time.monotonic()) > 0:
                self._wait(left, also_requests=False)
        for work in self._bound.values():
            self._start(0, partial(_unreported, work))
        while self._workers:
            self._wait(None, also_requests=False)


def _unreported(work: Work[Any]) -> None:
    """Do some work once the program has ended: what fails can no longer be reported."""
    with suppress(LabError):
        work(Caller())


def _signal(worker: _Worker, number: signal.Signals) -> None:
    """Send a signal to a worker, which is our child and not reaped, and to what it has started."""
    with suppress(ProcessLookupError):
        os.killpg(worker.pid, number)


def _in_worker(server: int, work: Callable[[], object]) -> NoReturn:
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, unwind)
        with suppress(OSError):
            os.setpgid(0, 0)
        die_with_parent(server)
        work()
    finally:
        os._exit(0)


def _work(file: int, line_end: int, *others: int) -> None:
    """Do some work, and tell of it on the line."""
    close_all_but((file, line_end, *others))
    line, caller = Line(socket.socket(fileno=line_end)), Caller()
    try:
        with open(file, "rb") as whole:
            request: Request = pickling.load(whole)
        caller = Caller(partial(_tell, line), _Hearing(line), line_end, _streams(request, others))
        os.environ.clear()
        os.environ.update(request.environment)
        _enter(request.directory)
        os.umask(request.umask)
        reply = Reply(None, request.work(caller))
    except BaseException as error:
        reply = Reply(portable(error), None)
    with ignored(*TERMINATION), suppress(Hangup):  # what is left is not to be cut off
        _settle(line, caller, reply)
        line.send(SETTLED)


def _settle(line: Line, caller: Caller, reply: Reply) -> None:
    """Have what some work did last once the program has received the reply; else take it back. Raise Hangup."""
    if reply.error is not None:
        with suppress(LabError):  # what is left then is recorded, and `down` ends it
            for step in caller.unless_received:
                step()
        line.send(reply)
        return
    try:
        line.send(reply)
        if caller.if_received:
            select.select([line], [], [])
            line.received()
        and_now = caller.if_received
    except Hangup:
        and_now = caller.unless_received
    for step in and_now:
        step()


def _enter(directory: str) -> None:
    try:
        os.chdir(directory)
    except OSError as error:
        raise UsageError(f"{directory} cannot be the working directory", kernel_words(error)) from None


def _tell(line: Line, what: object) -> None:
    """Tell the program something. One that has ended hears nothing, also not how what was begun is taken back."""
    with suppress(Hangup):
        line.send(Told(what))


class _Hearing:
    """Waits for what the program says, word for word. Raise Hangup."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._said: deque[object] = deque()

    def __call__(self) -> object:
        while not self._said:
            select.select([self._line], [], [])
            self._said.extend(self._line.received())
        return self._said.popleft()


def _streams(request: Request, descriptors: Sequence[int]) -> Sequence[int]:
    """Make the first of the descriptors the standard streams. Return the others."""
    for stream, descriptor in enumerate(descriptors[: request.streams]):
        os.dup2(descriptor, stream)
        os.close(descriptor)
    return descriptors[request.streams :]
