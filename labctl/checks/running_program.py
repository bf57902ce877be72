"""A program that runs inside a namespace, and what it has written so far."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from labctl.kernel import namespaces, view
from labctl.process.patience import Patience
from labctl.process.signals import block_signals, not_delayed
from labctl.process.syscalls import die_with_parent

_PART = 1 << 16


class Program:
    """A running program: its standard output is data, its standard error text."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin and process.stdout and process.stderr
        self.process = process
        self.data = bytearray()
        self.errors = bytearray()
        self.outputs = {process.stdout.fileno(): self.data, process.stderr.fileno(): self.errors}

    @property
    def pid(self) -> int:
        """Return its PID."""
        return self.process.pid

    def write(self, text: str) -> None:
        """Write to its standard input, which stays open, because some programs end with it.

        It holds all of that: a server reads nothing before its client has come.
        """
        assert self.process.stdin
        data, pipe = text.encode(), self.process.stdin.fileno()
        if len(data) > fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, len(data))
        with suppress(BrokenPipeError):  # it has ended, and its standard error says why
            self.process.stdin.write(data)
            self.process.stdin.flush()

    def has_ended(self) -> bool:
        """Return whether all that it will ever write has been read."""
        return not self.outputs

    def messages(self) -> str:
        """Return what it has written to standard error so far."""
        return self.errors.decode(errors="replace")


def read_output(programs: Sequence[Program], waiting: Patience) -> bool:
    """Wait until one of the programs writes something, or ends, and read it. Return False when the time is over."""
    ready = select.poll()
    writers = {output: program for program in programs for output in program.outputs}
    for output in writers:
        ready.register(output, select.POLLIN)
    if not waiting.wait(ready):
        return False
    for output, _ in ready.poll(0):
        outputs = writers[output].outputs
        part = os.read(output, _PART)
        outputs[output] += part
        if not part:
            del outputs[output]
    return True


@contextmanager
def running(namespace: str, words: Sequence[str]) -> Iterator[Program]:
    """Yield a program that runs inside a namespace; it is ended with the body."""
    fd, here = namespaces.open_namespace(namespace), os.getpid()

    def enter() -> None:
        view.enter(fd, namespace)
        die_with_parent(here)
        not_delayed()

    # What a signal raises amidst Python's own hooks around a fork would be lost, and the program left behind.
    with block_signals() as unblock:
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "LC_ALL": "C"},
                preexec_fn=enter,
            )
        finally:
            os.close(fd)
        try:
            unblock()
            yield Program(process)
        finally:
            with block_signals():
                process.kill()
                process.wait()
                for stream in (process.stdin, process.stdout, process.stderr):
                    if stream:
                        with suppress(BrokenPipeError):
                            stream.close()
