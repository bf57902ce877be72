"""A program that the file names as an engine, and the process that supervises it.

The process that is forked for such an engine does not become the program: it runs it, and lives exactly as long as
anything of it does. The kernel makes it the parent of all below it that lose their own (PR_SET_CHILD_SUBREAPER,
prctl(2)), so a forwarder that goes into the background is followed like one that does not, and what it has started for
itself ends with it. This process alone is recorded, before it begins, and nothing can run that is not below it.

What the program and those below it write comes through a pipe into the log, which has a time before every line and a
limit. If this process is killed, the program is told to end (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from labctl.errors import UsageError, kernel_words
from labctl.lab.engines.task import Task
from labctl.process.child import start
from labctl.process.execve import become, why_not
from labctl.process.log_file import LogFile
from labctl.process.processes import children
from labctl.process.signals import TERMINATION
from labctl.process.syscalls import adopt_orphans, die_with_parent

PATIENCE = 1.0
"""Seconds that a program has between SIGTERM and SIGKILL: less than this process itself has (processes.GRACE)."""

PAUSE = 0.02
"""Seconds between two looks at who is left, while they end."""


class ProgramFailed(UsageError):
    """A program that the file names as an engine cannot be started, or does not do what an engine does."""


def run(task: Task, log: LogFile, ready: Callable[[], None]) -> None:
    """Run a program, call `ready` once it has been started, and return when nothing of it is left.

    Raise ProgramFailed where it cannot be started.
    """
    adopt_orphans()
    with _heard() as heard:
        program, output = _started(task)
        ready()
        _Supervisor(program, output, heard, log).stay()


@contextmanager
def _heard() -> Iterator[int]:
    """Yield a descriptor from which the numbers of signals are read, as they come (signal.set_wakeup_fd)."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    for number in (signal.SIGCHLD, *TERMINATION):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(-1)
        os.close(reader)
        os.close(writer)


def _started(task: Task) -> tuple[int, int]:
    """Start the program; return its PID and the end of a pipe into which it writes. Raise ProgramFailed."""
    output, theirs = os.pipe()
    parent = os.getpid()
    child = start(lambda reply: reply(_tried(task, parent, theirs)))
    os.close(theirs)
    reply = child.reply()
    if reply is not None:  # else its pipe was closed when the program took over
        child.wait()
        error, why = reply
        raise error or ProgramFailed(f"{task.name} cannot be started: {task.spec.command}", *why)
    return child.pid, output


def _tried(task: Task, parent: int, output: int) -> tuple[str, str]:
    """Execute the program. Return why that fails, and what helps."""
    try:
        os.setsid()  # a program that ends its process group is not to end its parent
        for stream in (1, 2):
            os.dup2(output, stream)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and a program inherits that
        os.chdir(task.directory)
        if task.run_as is not None:
            os.setgroups([])
            os.setresgid(task.run_as, task.run_as, task.run_as)
            os.setresuid(task.run_as, task.run_as, task.run_as)
        die_with_parent(parent)
    except OSError as error:
        return f"{error.filename or task.directory}: {kernel_words(error)}", "it runs in the directory of the file"
    try:
        become(task.spec.program)
    except OSError as error:
        return why_not(task.spec.program[0], error)


class _Supervisor:
    """Writes what a program says to its log, and ends its descendants when it fails or is to end."""

    def __init__(self, program: int, output: int, heard: int, log: LogFile) -> None:
        self._program = program
        self._output = output
        self._heard = heard
        self._log = log
        self._deadline: float | None = None  # when SIGKILL follows SIGTERM
        self._asked: set[int] = set()

    def stay(self) -> None:
        """Return when nothing of the program is left."""
        poll = select.poll()
        for descriptor in (self._output, self._heard):
            poll.register(descriptor, select.POLLIN)
        while self._anything_left():
            for descriptor, _ in poll.poll(None if self._deadline is None else PAUSE * 1000):
                if descriptor == self._heard:
                    self._listen()
                elif not self._read():
                    poll.unregister(self._output)  # the program has closed it
            if self._deadline is not None:
                self._end_children(monotonic() >= self._deadline)
        self._drain()

    def _anything_left(self) -> bool:
        """Reap those that have ended; return whether any is left."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid == self._program:
                    self._tell_end(os.waitstatus_to_exitcode(status))
        return False

    def _tell_end(self, code: int) -> None:
        """Log how the program ended. What it has started may stay only if its exit code is 0, as that of a launcher."""
        self._drain()
        left = children(os.getpid())
        print(f"labctl: {_how_it_ended(code, left)}", file=self._log)
        if code != 0:
            self._begin_the_end()

    def _listen(self) -> None:
        if set(os.read(self._heard, 64)) & set(TERMINATION):
            self._begin_the_end()

    def _begin_the_end(self) -> None:
        self._deadline = self._deadline or monotonic() + PATIENCE

    def _end_children(self, at_once: bool) -> None:
        """End the children of this process; theirs become its own once they are orphans, and are ended in turn."""
        for pid in children(os.getpid()):
            if at_once or pid not in self._asked:
                self._asked.add(pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL if at_once else signal.SIGTERM)

    def _drain(self) -> None:
        """Log all that has been written up to now."""
        while select.select([self._output], [], [], 0)[0] and self._read():
            pass
        self._log.end()

    def _read(self) -> bool:
        """Log what has been written. Return whether more may come."""
        said = os.read(self._output, 1 << 16)
        self._log.feed(said)
        return bool(said)


def _how_it_ended(code: int, left: list[int]) -> str:
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    if code > 0:
        return f"ended with exit code {code}"
    if left:
        return f"went into the background as process {left[0]}"
    return "ended with exit code 0; what forwards must stay, or stay below it"
