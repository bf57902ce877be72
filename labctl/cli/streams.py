"""The three standard streams, as every command may rely on them.

Whoever calls may have closed them, may read no more, or may have a terminal that knows few characters. None of that is
to decide about a lab.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from labctl.errors import LabError, kernel_words

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def make_reliable() -> None:
    """Put /dev/null in the place of a stream that is missing, and have characters replaced that cannot be written.

    Before anything is opened: it would get the number of the missing stream, and be taken for that.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115  # for good
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class _Patient(io.FileIO):
    """A file that goes on where nothing can be written any more, and remembers why."""

    failure: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        if self.failure is None:
            try:
                return super().write(data)
            except OSError as error:
                self.failure = error
        return memoryview(data).nbytes


@contextmanager
def patient_output() -> Iterator[None]:
    """Let the body do what it does, whether or not that can be said.

    Raises LabError at its end where the output could not be written; that nobody reads it is no failure.
    """
    usual, file = sys.stdout, _Patient(sys.stdout.fileno(), "w", closefd=False)
    usual.flush()
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(file), usual.encoding, usual.errors, line_buffering=usual.isatty())
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout = usual
    if file.failure is not None and not isinstance(file.failure, BrokenPipeError):
        raise LabError("all is done, but not all of what was to be said could be written", kernel_words(file.failure))
