"""A command that runs in a namespace of a lab, as subprocess.Popen has one that runs here."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import time
import weakref
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
        if self.returncode is None and self._call.wait(0):
            self._ended()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, for so many seconds at most. Return its exit code, -N if signal N ended it.

        Raise CommandTimedOut; it runs on.
        """
        if self.returncode is None:
            if not self._call.wait(timeout):
                assert timeout is not None
                raise CommandTimedOut(self.args, timeout)
            self._ended()
        assert self.returncode is not None
        return self.returncode

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
        written until then; it runs on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        unsent = memoryview((input or "").encode())
        parts: dict[int, bytearray] = {}
        poll = select.poll()
        if self.stdin is not None:
            self.stdin.flush()
            os.set_blocking(self.stdin.fileno(), False)
            poll.register(self.stdin, select.POLLOUT)
        outputs = [stream for stream in (self.stdout, self.stderr) if stream is not None]
        for stream in outputs:
            parts[stream.fileno()] = bytearray()
            poll.register(stream, select.POLLIN)
        waiting = {*parts, *([self.stdin.fileno()] if self.stdin else [])}

        def over(descriptor: int) -> None:
            poll.unregister(descriptor)
            waiting.discard(descriptor)

        def written(stream: IO[str] | None) -> str:
            return parts[stream.fileno()].decode(errors="replace") if stream else ""

        while waiting:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = poll.poll(None if left is None else 1000 * left)
            if not ready and left is not None:
                raise CommandTimedOut(self.args, timeout or 0.0, written(self.stdout), written(self.stderr))
            for descriptor, _ in ready:
                if descriptor in parts:
                    part = os.read(descriptor, _PART)
                    parts[descriptor] += part
                    if not part:
                        over(descriptor)
                    continue
                try:
                    unsent = unsent[os.write(descriptor, unsent[:_PART]) :] if unsent else unsent
                except BlockingIOError:
                    continue
                except BrokenPipeError:  # it reads no more
                    unsent = memoryview(b"")
                if not unsent and self.stdin is not None:
                    over(descriptor)
                    self.stdin.close()
        try:
            self.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except CommandTimedOut:
            raise CommandTimedOut(self.args, timeout or 0.0, written(self.stdout), written(self.stderr)) from None
        return written(self.stdout), written(self.stderr)

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


def _pid_of(pidfd: int) -> int:
    """Return a PID as this process sees it, -1 where it has ended (proc(5), /proc/PID/fdinfo of a pidfd)."""
    text = Path(f"/proc/self/fdinfo/{pidfd}").read_text()
    return int(text.partition("\nPid:")[2].split(maxsplit=1)[0])
