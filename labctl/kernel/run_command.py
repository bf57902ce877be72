"""A command in the view of a namespace, run to its end: what it wrote, and how it ended.

A command is trusted in nothing. It has no terminal and nothing to read; what it writes beyond a limit is thrown away;
and when it has ended, or its time is over, everything that it has started is ended, too: also what has made a session
of its own, or lost its parent, because the process that runs it becomes its parent then (PR_SET_CHILD_SUBREAPER).
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from labctl.frozen import frozen
from labctl.kernel.inside_view import in_view
from labctl.process.execve import why_not
from labctl.process.patience import Patience, PatienceFor
from labctl.process.processes import children
from labctl.process.signals import TERMINATION, block_signals, ignored, not_delayed
from labctl.process.syscalls import die_with_parent

KEPT = 1 << 20
"""Bytes that are kept of what a command writes to its standard output: the first."""

LAST = 1 << 12
"""Bytes that are kept of the end of what it writes."""

ENDING = 10.0
"""Seconds for which processes that were killed are waited for: one may be in the kernel, in uninterruptible sleep."""

_PART = 1 << 16


@frozen
class Ended:
    """How a command ended, and what it wrote."""

    exit_code: int | None  # -N if signal N ended it; None where its time was over
    stdout: bytes  # the first KEPT bytes
    written: int  # bytes on its standard output, all together
    last: bytes  # the last LAST bytes of both outputs, in the order in which they came

    @property
    def whole(self) -> bool:
        """Return whether all of its standard output was kept."""
        return self.written == len(self.stdout)


@frozen
class NotRun:
    """Why a command could not be run, and what helps."""

    why: str
    hint: str


def run_command(
    namespace: str, words: Sequence[str], directory: str, seconds: float, patience: PatienceFor
) -> Ended | NotRun:
    """Run a command in a directory, in the view of a namespace, for so many seconds at most.

    Raise KernelRefused where the namespace cannot be entered, UsageError where there is none.
    """
    return in_view(namespace, lambda problems: _run(problems, words, directory, seconds, patience))


def _run(
    problems: list[str], words: Sequence[str], directory: str, seconds: float, patience: PatienceFor
) -> Ended | NotRun:
    here = os.getpid()

    def enter() -> None:
        die_with_parent(here)
        not_delayed()

    # What a signal raises amidst Python's own hooks around a fork would be lost.
    with block_signals() as unblock:
        try:
            if directory:
                os.chdir(directory)
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                preexec_fn=enter,
            )
        except OSError as error:
            return NotRun(*why_not(words[0], error))
        try:
            unblock()
            return _Following(process, "".join(f"labctl: {line}\n" for line in problems)).to_its_end(
                patience(seconds, process.pid)
            )
        finally:
            with ignored(*TERMINATION):
                _end_all(here)


class _Following:
    """Reads what a command writes, for as long as it runs."""

    def __init__(self, process: subprocess.Popen[bytes], said: str) -> None:
        assert process.stdout and process.stderr
        self._process = process
        self._outputs = (process.stdout.fileno(), process.stderr.fileno())
        self._ended = os.pidfd_open(process.pid)
        self._first, self._written = bytearray(), 0
        self._last = bytearray(os.fsencode(said))
        self._ready = select.poll()
        for descriptor in (*self._outputs, self._ended):
            self._ready.register(descriptor, select.POLLIN)

    def to_its_end(self, waiting: Patience) -> Ended:
        """Return how it ended, and what it has written until then."""
        for _ in waiting.arrivals(self._ready):
            if self._ended in self._read():
                self._read()  # a pipe holds no more than one reading takes
                return self._as_it_is(self._process.wait())
        return self._as_it_is(None)

    def _as_it_is(self, exit_code: int | None) -> Ended:
        return Ended(exit_code, bytes(self._first), self._written, bytes(self._last))

    def _read(self) -> list[int]:
        """Take in what is there by now. Return the descriptors that were ready."""
        ready = [descriptor for descriptor, _ in self._ready.poll(0)]
        for output in self._outputs:
            if output not in ready:
                continue
            part = os.read(output, _PART)
            if not part:  # it has closed it
                self._ready.unregister(output)
            if output == self._outputs[0]:
                self._written += len(part)
                self._first += part[: KEPT - len(self._first)]
            self._last += part
            del self._last[:-LAST]
        return ready


def _end_all(parent: int) -> None:
    """End all that is left below this process. What has lost its parent becomes a child of it, and follows."""
    for _ in Patience(ENDING).looks():
        for pid in children(parent):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not _any_left():
            return


def _any_left() -> bool:
    """Reap the children that have ended. Return whether there are others."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    return False
