"""A Python program's side of the process that works for it (server.py), which all labs of the program share.

It is started by the first call, in a session of its own, so that Ctrl-C is heard here alone, and ends when no lab of
the program uses it any more. Calls may come from any thread: each has a line of its own. Nothing of the program is
changed for it: no signal handler, no directory, no namespace.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import count
from typing import Any, Self, TypeVar

from labctl.api import server
from labctl.api.caller import Work
from labctl.api.server import SETTLED, Bind, Do, Free, Interrupt, Request, Told
from labctl.errors import LabError, kernel_errors_as
from labctl.frozen import frozen
from labctl.process import pickling, working_directory
from labctl.process.child import Tell
from labctl.process.line import Hangup, Line
from labctl.process.proc import status_field
from labctl.process.python_code import python

Result = TypeVar("Result")

PATIENCE = 10.0
"""Seconds that the process has to end, with what it works at, when its program does."""

_NOTHING: Tell = lambda _: None  # noqa: E731


@frozen
class Surroundings:
    """Where some work is done: `environment` and `directory` of this process unless others are given."""

    environment: Mapping[str, str] | None = None
    directory: str | None = None
    streams: Sequence[int] = ()  # what becomes the standard streams
    descriptors: Sequence[int] = ()

    def request(self, work: Work[Any]) -> Request:
        """Return a request for some work there."""
        return Request(
            work,
            dict(os.environ if self.environment is None else self.environment),
            os.path.join(working_directory.here(), self.directory or ""),
            _umask(),
            len(self.streams),
        )


HERE = Surroundings()


def _umask() -> int:
    """Return the umask of this process: umask(2) cannot tell it without a change (proc(5), /proc/PID/status)."""
    return int(status_field("Umask") or "", 8)


class Client:
    """The process that works for this one."""

    def __init__(self) -> None:
        with kernel_errors_as("the process that works for this program could not be started"):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                process = subprocess.Popen(
                    python(f"from {server.__name__} import main; main()"),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )
        self._requests = ours
        self._numbers = count(1)
        self._process = process
        self._gone = False
        self._end = weakref.finalize(self, _end, ours, process)

    def leave(self) -> None:
        """Leave it to the process that this one was forked from."""
        self._end.detach()
        self._process.returncode = 0  # it is no child of this process: there is nothing to wait for
        self._requests.close()

    @property
    def usable(self) -> bool:
        """Return whether it was started by this process, and was not ended by another."""
        return self._end.alive and not self._gone

    def do(
        self, work: Work[Result], listener: Tell = _NOTHING, accept: Callable[[Result], object] = _NOTHING
    ) -> Result:
        """Have some work done, and call the listener in this thread with what is told. Return its result.

        What it did is taken back where this program ends before `accept` has returned. Raise what it raised. Where
        this thread is interrupted, so is the work, and what it had begun is taken back before this returns.
        """
        with self.start(work) as call:
            result: Result = call.result(listener)
            accept(result)
            if not call.accept():
                raise _ended_at_its_work()
            return result

    def start(self, work: Work[Any], around: Surroundings = HERE) -> Call:
        """Have some work done, and do not wait for it."""
        number = next(self._numbers)
        self._process.poll()  # it has long ended, and left its work to a child of its own
        with ExitStack() as ours, kernel_errors_as("labctl could not begin its work"):
            line, end = socket.socketpair()
            ours.enter_context(line)
            with end:
                file = os.memfd_create("request")
                with open(file, "w+b") as whole:
                    pickling.dump(around.request(work), whole)
                    whole.flush()
                    whole.seek(0)
                    descriptors = [file, end.fileno(), *around.streams, *around.descriptors]
                    self._ask(Do(number), descriptors)
            ours.pop_all()
        return Call(self, number, Line(line))

    def _ask(self, what: object, descriptors: Sequence[int]) -> None:
        try:
            socket.send_fds(self._requests, [pickling.dumps(what)], descriptors)
        except (BrokenPipeError, ConnectionResetError):
            self._gone = True
            raise LabError(
                "the process that works for this program is gone", "it was ended", "call again: the next one is started"
            ) from None

    def interrupt(self, number: int) -> None:
        """Interrupt some work, as Ctrl-C does."""
        self._say(Interrupt(number))

    def bind(self, lab: str, end: Work[Any]) -> None:
        """Have a lab end, by this work, when this program ends, however that ends."""
        self._say(Bind(lab, end))

    def free(self, lab: str) -> None:
        """Do not have a lab end when this program ends."""
        self._say(Free(lab))

    def _say(self, what: object) -> None:
        with suppress(OSError):  # it has been ended: there is nothing more that it could do
            self._requests.send(pickling.dumps(what))


def _end(requests: socket.socket, process: subprocess.Popen[bytes]) -> None:
    """Have it end, and wait until that is done, with the labs that were to end with this program."""
    with requests, suppress(OSError):
        requests.shutdown(socket.SHUT_WR)
        poll = select.poll()
        poll.register(requests, select.POLLIN)
        poll.poll(1000 * PATIENCE)
    process.wait()


def _ended_at_its_work() -> LabError:
    return LabError("labctl was ended at its work", "its process is gone", "labctl list shows what is running")


class Call:
    """Some work that is being done: an iterator of what is told of it, and then its result."""

    def __init__(self, client: Client, number: int, line: Line) -> None:
        self._client: Client | None = client
        self._number = number
        self._line = line
        self._unheard: deque[Any] = deque()
        self.over = False  # whether there is nothing more to be heard
        self._result: Any = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        """Wait for what is told next, or for the result. Raise what the work raised, LabError where it was ended."""
        if self.over:
            raise StopIteration
        self._hear()
        said = self._unheard.popleft()
        if isinstance(said, Told):
            return said.what
        self.over = True
        try:
            self._result = said.outcome()
        finally:
            del said  # else the error holds this frame by its traceback, and this frame the error
        raise StopIteration

    def result(self, listener: Tell = _NOTHING) -> Any:
        """Wait for the result, and call the listener with what is told before it. Raise as the iterator does."""
        for what in self:
            listener(what)
        return self._result

    def accept(self) -> bool:
        """Say that the result is received, and wait until what the work did lasts. Return whether it does."""
        self._line.offer(True)
        return self.settled()

    def say(self, what: object) -> None:
        """Say something to the work, which waits for it."""
        with suppress(Hangup):
            self._line.send(what)

    def hang_up(self) -> None:
        """Say nothing more: what the work does is taken back, at its end if not before."""
        self._line.hang_up()

    def refuse(self) -> None:
        """Have what the work did taken back, and wait until it is."""
        self.hang_up()
        self.settled()

    def settled(self) -> bool:
        """Wait until the work has ended. Return whether it came to its very end."""
        with suppress(Hangup):
            while SETTLED not in self._unheard:
                self._unheard.extend(self._received())
        return SETTLED in self._unheard

    def wait(self, seconds: float | None) -> bool:
        """Wait until something is said, for so many seconds at most. Return whether that is so."""
        poll = select.poll()
        poll.register(self._line, select.POLLIN)
        return bool(self._unheard or poll.poll(None if seconds is None else 1000 * seconds))

    def interrupt(self) -> None:
        """Interrupt the work, as Ctrl-C does."""
        if self._client is not None:
            self._client.interrupt(self._number)

    def close(self) -> None:
        """Wait for nothing more. What is not over goes on until this program ends."""
        self._line.close()
        self._client = None  # which may end, where it has no other use

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Interrupt the work if it is not over, and wait until what is not accepted is taken back.

        A second Ctrl-C does not wait.
        """
        try:
            if self._client is not None:
                if not self.over:
                    self.interrupt()
                self.refuse()
        finally:
            self.over = True
            self.close()

    def _hear(self) -> None:
        try:
            while not self._unheard:  # what is large comes in parts
                self._unheard.extend(self._received())
        except Hangup:
            self.over = True
            raise _ended_at_its_work() from None

    def _received(self) -> list[Any]:
        """Wait until something comes. Return what has come whole. Raise Hangup."""
        poll = select.poll()
        poll.register(self._line, select.POLLIN)
        poll.poll()
        return self._line.received()


class _Shared:
    """The client that all labs of this process use, as long as one does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: weakref.ref[Client] | None = None

    def client(self) -> Client:
        """Return the client, started where there is none. Raise KernelRefused where it cannot be."""
        with self._lock:
            client = self._client() if self._client else None
            if client is None or not client.usable:
                client = Client()
                self._client = weakref.ref(client)
            return client

    def forked(self) -> None:
        """Leave the client to the process that this one was just forked from, in which nothing holds the lock."""
        client = self._client() if self._client else None
        if client is not None:
            client.leave()
        self._lock, self._client = threading.Lock(), None


_shared = _Shared()
os.register_at_fork(after_in_child=_shared.forked)


def client() -> Client:
    """Return the process that works for this one, started where there is none. Raise KernelRefused."""
    return _shared.client()
