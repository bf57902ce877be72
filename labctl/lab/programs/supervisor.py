"""The process that supervises a program: one of a namespace, or one that the file names as an engine.

The process that is forked for a program does not become it: it runs it, and lives exactly as long as anything of it
does, or is to be started again. The kernel makes it the parent of all below it that lose their own
(PR_SET_CHILD_SUBREAPER, prctl(2)), so a program that goes into the background is followed like one that does not, and
what it has started for itself ends with it. This process alone is recorded, before it begins, and nothing can run that
is not below it.

What the program and those below it write comes through a pipe into the log, which has a time before every line and a
limit. If this process is killed, the program is told to end (PR_SET_PDEATHSIG).

A program is started again once nothing of it is left: always, or where the last of it has failed. Before that is a
pause (backoff.py).
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from time import monotonic

from labctl.engine.loop.signals import heard, numbers_of
from labctl.errors import LabError, signal_name
from labctl.lab.programs.backoff import Backoff
from labctl.lab.programs.errors import ProgramFailed
from labctl.lab.programs.launch import launch
from labctl.lab.programs.run_record import RunRecord
from labctl.lab.programs.task import ProgramTask
from labctl.process.child import start
from labctl.process.log_file import LogFile
from labctl.process.processes import GRACE_OF_SUPERVISOR, children
from labctl.process.signals import TERMINATION
from labctl.process.syscalls import adopt_orphans

PATIENCE = GRACE_OF_SUPERVISOR / 2
"""Seconds that a program has between the signal that asks it to end and SIGKILL."""

PAUSE = 0.02
"""Seconds between two looks at who is left, while they end."""

_PART = 1 << 16


def run(task: ProgramTask, log: LogFile, ready: Callable[[], None]) -> None:
    """Run a program, call `ready` once it has been started, and return when nothing of it is left.

    Raise ProgramFailed where it cannot be started.
    """
    adopt_orphans()
    with heard(again=(signal.SIGCHLD, *TERMINATION)) as signals:
        program, output = _started(task)
        record = RunRecord(program)
        record.write(task.record)
        ready()
        _Supervisor(task, program, output, signals, log, record).stay()


def _started(task: ProgramTask) -> tuple[int, int]:
    """Start the program; return its PID and the end of a pipe into which it writes. Raise ProgramFailed."""
    output, theirs = os.pipe()
    parent = os.getpid()
    child = start(lambda reply: reply(launch(task.launch, theirs, parent)))
    os.close(theirs)
    reply = child.reply()
    if reply is not None:  # else its pipe was closed when the program took over
        child.wait()
        os.close(output)
        error, why = reply
        raise error or ProgramFailed(f"{task.name} cannot be started: {task.command}", *why)
    return child.pid, output


class _Supervisor:
    """Writes what a program says to its log, starts it again, and ends its descendants when it fails or is to end."""

    def __init__(
        self, task: ProgramTask, program: int, output: int, heard: int, log: LogFile, record: RunRecord
    ) -> None:
        self._task = task
        self._program = program
        self._output = output
        self._heard = heard
        self._log = log
        self._record = record
        self._code = 0  # that of the program, or of the last of what it has left in the background
        self._deadline: float | None = None  # when SIGKILL follows the signal that asks
        self._asked: set[int] = set()
        self._to_end = False
        self._began = monotonic()
        self._backoff = Backoff()

    def stay(self) -> None:
        """Return when nothing of the program is left, and it is not to be started again."""
        self._follow()
        while self._is_to_run_again():
            self._wait()
            if not self._to_end and self._is_started_again():
                self._follow()

    def _is_to_run_again(self) -> bool:
        wanted = self._task.restart == "always" or (self._task.restart == "on-failure" and self._code != 0)
        return wanted and not self._to_end

    def _follow(self) -> None:
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
        os.close(self._output)
        if self._record.pid:  # it was in the background
            self._tell(how_it_ended(self._code))

    def _anything_left(self) -> bool:
        """Reap those that have ended; return whether any is left."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                code = os.waitstatus_to_exitcode(status)
                if pid == self._program:
                    self._tell_end(code)
                if pid == self._program or self._record.pid:
                    self._code = code
        return False

    def _tell_end(self, code: int) -> None:
        """Log how the program ended. What it has started may stay only if its exit code is 0, as that of a launcher."""
        self._drain()
        left = children(os.getpid())
        if left and code == 0:
            print(f"labctl: went into the background as process {left[0]}", file=self._log)
            self._show(replace(self._record, pid=left[0]))
        else:
            self._tell(how_it_ended(code))
        if code != 0:
            self._begin_the_end()

    def _wait(self) -> None:
        """Wait before the program is started again, or until this process is to end."""
        pause = self._backoff.after(monotonic() - self._began)
        print(f"labctl: is started again in {pause:g} s", file=self._log)
        until = monotonic() + pause
        while not self._to_end and (left := until - monotonic()) > 0:
            if select.select([self._heard], [], [], left)[0]:
                self._listen()

    def _is_started_again(self) -> bool:
        """Start the program again. Return whether that succeeds; where it does not, it is tried again like it."""
        self._deadline = None
        self._asked.clear()
        self._began = monotonic()
        try:
            self._program, self._output = _started(self._task)
        except LabError as error:
            print(error, file=self._log)
            return False
        self._show(replace(self._record, pid=self._program, restarts=self._record.restarts + 1))
        return True

    def _listen(self) -> None:
        if numbers_of(self._heard) & set(TERMINATION):
            self._to_end = True
            self._begin_the_end()

    def _begin_the_end(self) -> None:
        self._deadline = self._deadline or monotonic() + PATIENCE

    def _end_children(self, at_once: bool) -> None:
        """End the children of this process; theirs become its own once they are orphans, and are ended in turn."""
        for pid in children(os.getpid()):
            if at_once or pid not in self._asked:
                self._asked.add(pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL if at_once else self._task.stop_signal)
                    os.kill(pid, signal.SIGCONT)  # one that is stopped would not hear of it

    def _drain(self) -> None:
        """Log all that has been written up to now, and not what another writes meanwhile: it may never end."""
        for _ in range(0, fcntl.fcntl(self._output, fcntl.F_GETPIPE_SZ), _PART):
            if not (select.select([self._output], [], [], 0)[0] and self._read()):
                break
        self._log.end()

    def _read(self) -> bool:
        """Log what has been written. Return whether more may come."""
        said = os.read(self._output, _PART)
        self._log.feed(said)
        return bool(said)

    def _tell(self, ended: str) -> None:
        """Log and show how the program ended."""
        print(f"labctl: {ended}", file=self._log)
        self._show(replace(self._record, pid=0, ended=ended))

    def _show(self, record: RunRecord) -> None:
        self._record = record
        record.write(self._task.record)


def how_it_ended(code: int) -> str:
    """Return in words how a process ended, from its exit code, -N if signal N ended it."""
    if code >= 0:
        return f"ended with exit code {code}"
    return f"ended by {signal_name(-code)}"
