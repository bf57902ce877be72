"""A command that runs in a namespace of a lab, as subprocess.Popen has one that runs here."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from labctl.api.calls.inspect import run
from labctl.api.client import Call, Client, Surroundings
from labctl.errors import CommandTimedOut, LabError
from labctl.process.processes import GRACE

Stream = int | IO[Any] | None
"""As subprocess has it: None for that of this process, PIPE, DEVNULL, STDOUT, a descriptor, or a file."""

_PART = 1 << 16


class Process:
    """A command that runs in a namespace: its standard streams, its exit code, and its end.

    It ends with this program, and when the context manager of this object is left.
    """

    def __init__(
        self,
        client: Client,
        lab: str,
        namespace: str,
        command: Sequence[str],
        streams: Sequence[Stream],
        directory: str | None,
        environment: Mapping[str, str] | None,
    ) -> None:
        self.args = list(command)
        self.returncode: int | None = None
        self.stdin: IO[str] | None = None
        self.stdout: IO[str] | None = None
        self.stderr: IO[str] | None = None
        self._unsent: memoryview | None = None  # what `communicate` has still to write
        self._read: defaultdict[int, bytearray] = defaultdict(bytearray)  # what it has read
        self._waiting = threading.RLock()  # of the threads that wait for the end one hears of it
        with ExitStack() as ours, ExitStack() as theirs:
            inside = self._open(streams, ours, theirs)
            started, reports = socket.socketpair()
            theirs.enter_context(started)
            theirs.enter_context(reports)
            around = Surroundings(environment, directory, inside, [reports.fileno()])
            self._call: Call = client.start(partial(run, lab, namespace, self.args), around)
            ours.enter_context(self._call)
            reports.close()
            self._pidfd = self._once_started(started)
            self._forget = weakref.finalize(self, os.close, self._pidfd)
            ours.pop_all()
        self.pid = _pid_of(self._pidfd)

    def _open(self, streams: Sequence[Stream], ours: ExitStack, theirs: ExitStack) -> list[int]:
        """Return the descriptors of the standard streams of the command; open our ends of pipes."""
        inside: list[int] = []
        for number, (name, stream) in enumerate(zip(("stdin", "stdout", "stderr"), streams, strict=True)):
            if stream == subprocess.PIPE:
                reader, writer = os.pipe()
                mine, other = (writer, reader) if number == 0 else (reader, writer)
                theirs.callback(os.close, other)
                stream_here = open(mine, "w" if number == 0 else "r", errors="replace")  # noqa: SIM115  # by `end`
                setattr(self, name, ours.enter_context(stream_here))
            elif stream == subprocess.STDOUT:
                other = inside[1]
            elif stream == subprocess.DEVNULL:
                other = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
                theirs.callback(os.close, other)
            elif stream is None:
                other = number
            else:
                other = stream if isinstance(stream, int) else stream.fileno()
            inside.append(other)
        return inside

    def _once_started(self, line: socket.socket) -> int:
        """Return a pidfd of the command once it has been started. Raise what kept it from that."""
        try:
            _, pidfds, _, _ = socket.recv_fds(line, 16, 1)
        except OSError:
            pidfds = []
        if pidfds:
            return pidfds[0]
        self._call.result()
        raise LabError(f"{self.args[0]} could not be started")

    def poll(self) -> int | None:
        """Return its exit code, -N if signal N ended it; None while it runs."""
        self._ends(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, for so many seconds at most. Return its exit code, -N if signal N ended it.

        Raise CommandTimedOut; it runs on.
        """
        if not self._ends(timeout):
            raise CommandTimedOut(self.args, timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def _ends(self, seconds: float | None) -> bool:
        """Wait for its end, for so many seconds at most. Return whether it has ended."""
        end = _end(seconds)
        if self.returncode is None and self._waiting.acquire(timeout=-1 if seconds is None else max(0.0, seconds)):
            try:
                if self.returncode is None and self._call.wait(_left(end)):
                    self._ended()
            finally:
                self._waiting.release()
        return self.returncode is not None

    def _ended(self) -> None:
        try:
            self.returncode = self._call.result()
        except LabError:  # the lab was taken down under it
            self.returncode = -signal.SIGKILL
            raise
        finally:
            self._call.close()

    def send_signal(self, number: int) -> None:
        """Send it a signal; nothing where it has ended."""
        if self._forget.alive:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def terminate(self) -> None:
        """Ask it to end: SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it: SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, input: str | None = None, timeout: float | None = None) -> tuple[str, str]:
        """Write `input` and close stdin, read what stdout and stderr write to the end, and wait for the end.

        Return what was written; empty for what is no pipe. Raise CommandTimedOut after so many seconds, with what was
        written until then; it runs on, and the next call goes on with the same input, and returns all of it.
        """
        end = _end(timeout)
        if self._unsent is None:
            self._unsent = memoryview((input or "").encode())
        poll, waiting = select.poll(), set[int]()
        if self.stdin is not None and not self.stdin.closed:
            with suppress(BrokenPipeError):  # it reads no more
                self.stdin.flush()
            os.set_blocking(self.stdin.fileno(), False)
            poll.register(self.stdin, select.POLLOUT)
            waiting.add(self.stdin.fileno())
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                poll.register(stream, select.POLLIN)
                waiting.add(stream.fileno())

        def written(stream: IO[str] | None) -> str:
            return self._read[stream.fileno()].decode(errors="replace") if stream else ""

        while waiting:
            left = _left(end)
            for descriptor, _ in poll.poll(None if left is None else 1000 * left):
                if self.stdin is not None and not self.stdin.closed and descriptor == self.stdin.fileno():
                    over = self._write(self.stdin)
                else:
                    part = os.read(descriptor, _PART)
                    self._read[descriptor] += part
                    over = not part
                if over:
                    poll.unregister(descriptor)
                    waiting.remove(descriptor)
            if waiting and left == 0:
                raise CommandTimedOut(self.args, timeout or 0.0, written(self.stdout), written(self.stderr))
        try:
            self.wait(_left(end))
        except CommandTimedOut:
            raise CommandTimedOut(self.args, timeout or 0.0, written(self.stdout), written(self.stderr)) from None
        return written(self.stdout), written(self.stderr)

    def _write(self, stdin: IO[str]) -> bool:
        """Write some of what is still to be written. Return whether that was all: stdin is closed then."""
        assert self._unsent is not None
        try:
            self._unsent = self._unsent[os.write(stdin.fileno(), self._unsent[:_PART]) :]
        except BlockingIOError:
            return False
        except BrokenPipeError:  # it reads no more
            self._unsent = memoryview(b"")
        if self._unsent:
            return False
        with suppress(BrokenPipeError):
            stdin.close()
        return True

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it where it still runs, and close its streams."""
        self.end()

    def end(self) -> None:
        """End it where it still runs: SIGTERM, and SIGKILL where it is still there after GRACE seconds."""
        try:
            if self.poll() is None:
                self.terminate()
                try:
                    self.wait(GRACE)
                except CommandTimedOut:
                    self.kill()
                    self.wait()
        finally:
            for stream in (self.stdin, self.stdout, self.stderr):
                if stream is not None:
                    with suppress(BrokenPipeError):
                        stream.close()
            self._call.close()
            self._forget()


def _end(seconds: float | None) -> float | None:
    """Return when so many seconds are over, by the clock of time.monotonic; None where they never are."""
    return None if seconds is None else time.monotonic() + seconds


def _left(end: float | None) -> float | None:
    """Return the seconds until then."""
    return None if end is None else max(0.0, end - time.monotonic())


def _pid_of(pidfd: int) -> int:
    """Return a PID as this process sees it, -1 where it has ended (proc(5), /proc/PID/fdinfo of a pidfd)."""
    text = Path(f"/proc/self/fdinfo/{pidfd}").read_text()
    return int(text.partition("\nPid:")[2].split(maxsplit=1)[0])
