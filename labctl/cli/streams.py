"""The three standard streams, as every command may rely on them.

The caller may have closed them, may read no more, or may have a terminal with few characters. No lab depends on that.
"""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from labctl.errors import LabError, kernel_words

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


OUTPUT = "standard output"
"""The file name of an OSError that comes of writing to it."""


class _WaitingFile(io.FileIO):
    """A file that waits until it takes something: also where another program has made it non-blocking (O_NONBLOCK)."""

    def write(self, data: ReadableBuffer, /) -> int:
        while (written := super().write(data)) is None:
            select.select([], [self], [])
        return written


class _NamedOutput(_WaitingFile):
    """Standard output, whose errors have its name: they are told from those of other files, in any process."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise BrokenPipeError(OUTPUT) from None  # with its errno click would take it for a failure
        except OSError as error:
            raise OSError(error.errno, error.strerror, OUTPUT) from None


def make_reliable() -> None:
    """Open /dev/null for a stream that is missing, and have characters replaced that cannot be read or written.

    Before anything is opened: it would get the number of the missing stream, and be taken for that.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115  # for good
    sys.stdout = _over(_NamedOutput(1, "w", closefd=False), sys.stdout)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _over(file: io.FileIO, usual: TextIO) -> io.TextIOWrapper:
    """Return a stream of text over a file, like the usual one."""
    return io.TextIOWrapper(io.BufferedWriter(file), usual.encoding, usual.errors, line_buffering=usual.isatty())


class _TolerantFile(_WaitingFile):
    """A file that accepts writes when it can be written no more, and remembers why."""

    failure: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        if self.failure is None:
            try:
                return super().write(data)
            except OSError as error:
                self.failure = error
        return memoryview(data).nbytes


@contextmanager
def tolerate_unwritable_output() -> Iterator[None]:
    """Let the body do its work, whether or not its output can be written.

    Raise LabError at its end where it could not; a reader that has gone is no failure.
    """
    usual, file = sys.stdout, _TolerantFile(sys.stdout.fileno(), "w", closefd=False)
    usual.flush()
    sys.stdout = _over(file, usual)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout = usual
    if file.failure is not None and not isinstance(file.failure, BrokenPipeError):
        raise LabError("all is done, but not all output could be written", kernel_words(file.failure))
