"""A program that runs inside a namespace, and what it has said so far."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from labctl.kernel import namespaces, view
from labctl.process.patience import Patience

_PART = 1 << 16


class Program:
    """Its standard output is data, its standard error are words."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin and process.stdout and process.stderr
        self.process = process
        self.data = bytearray()
        self.words = bytearray()
        self.outputs = {process.stdout.fileno(): self.data, process.stderr.fileno(): self.words}

    @property
    def pid(self) -> int:
        return self.process.pid

    def say(self, text: str) -> None:
        """Give it its input, which stays open, because some programs end with it."""
        assert self.process.stdin
        with suppress(BrokenPipeError):  # it has ended: its words tell why
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()

    def has_ended(self) -> bool:
        """Whether all has been heard that it will ever say."""
        return not self.outputs

    def said(self) -> str:
        return self.words.decode(errors="replace")


def hear(programs: Sequence[Program], waiting: Patience) -> bool:
    """Wait until one of the programs says something, or ends, and take it in. False when there was no more time."""
    ready = select.poll()
    heard = {output: program for program in programs for output in program.outputs}
    for output in heard:
        ready.register(output, select.POLLIN)
    if not waiting.wait(ready):
        return False
    for output, _ in ready.poll(0):
        outputs = heard[output].outputs
        part = os.read(output, _PART)
        outputs[output] += part
        if not part:
            del outputs[output]
    return True


@contextmanager
def running(namespace: str, words: Sequence[str]) -> Iterator[Program]:
    """A program inside a namespace, ended with the block."""
    fd = namespaces.open_namespace(namespace)
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
            preexec_fn=lambda: view.enter(fd, namespace),
        )
    finally:
        os.close(fd)
    try:
        yield Program(process)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                with suppress(BrokenPipeError):
                    stream.close()
