"""Starting the programs of a lab: each as soon as those that it starts after are ready, and waiting until all are."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from labctl.kernel import namespaces
from labctl.lab.events import Done
from labctl.lab.journal import Program
from labctl.lab.programs.failure import CORRECT, KEPT_BACK, failed
from labctl.lab.programs.launch import Launch
from labctl.lab.programs.program_files import signatures
from labctl.lab.programs.ready import Sign, sign_of
from labctl.lab.programs.run_record import RunRecord
from labctl.lab.programs.strays import end_left, marks
from labctl.lab.programs.task import ProgramTask
from labctl.lab.session import Session
from labctl.lab.state import State
from labctl.plan.program_spec import ProgramSpec
from labctl.plan.recorded import Substitution
from labctl.plan.steps import StartProgram
from labctl.process import processes, working_directory
from labctl.process.disk import remove
from labctl.process.log_file import stamp
from labctl.process.patience import PAUSE, Patience
from labctl.process.processes import Process
from labctl.process.users import uid_here, user_here
from labctl.topology.program_ref import ProgramRef

SETTLED = 0.5
"""Seconds for which a program has to run that does not say when it is ready."""


def started(steps: Sequence[StartProgram], session: Session) -> Iterator[Done]:
    """Start programs. Yield each step as soon as its program is ready.

    Raise the LabError of the first that cannot be started, or does not become ready; that one is ended.
    """
    waiting = {step.spec.ref: step for step in steps}
    begun: dict[ProgramRef, _Begun] = {}
    with ExitStack() as stack:
        while waiting or begun:
            free = [step for step in waiting.values() if not {*waiting, *begun} & {*step.spec.after}]
            for one in _begin(free, session) if free else ():
                stack.callback(one.close)
                begun[one.step.spec.ref] = one
                del waiting[one.step.spec.ref]
            for ref, one in list(begun.items()):
                if one.is_ready():
                    del begun[ref]
                    yield Done(one.step, one.substitution)
            if begun:
                time.sleep(PAUSE)


@dataclass
class _Begun:
    """A program that has begun, and is not ready yet."""

    step: StartProgram
    task: ProgramTask
    process: Process
    since: str  # when it began, as logs have it
    seconds: float  # that it has
    patience: Patience
    sign: Sign | None
    substitution: Substitution | None

    def is_ready(self) -> bool:
        """Return whether it is ready. If it does not become so, end it and raise ProgramFailed."""
        over = self.patience.over()  # before the look: there is one more when it is over
        record = RunRecord.of(self.task.record)
        has_failed = record.ended if self.task.restart == "never" or self.sign is None else ""
        if has_failed or not self.process.alive():
            self._fail(f"ended before it was ready: it {record.ended or 'was ended from outside'}")
        if self.sign is None:
            return over
        lacking = self.sign.lacking()
        if lacking and over:
            often = f", and was started {record.restarts + 1} times" if record.restarts else ""
            waits_for_line = self.step.spec.ready is not None and self.step.spec.ready.sign == "log"
            hint = KEPT_BACK if waits_for_line else CORRECT
            self._fail(f"is not ready after {self.seconds:g} s: {lacking}{often}", hint)
        return not lacking

    def _fail(self, what: str, hint: str = CORRECT) -> None:
        command = self.step.spec.command
        error = failed(self.task.name, command, what, self.task.log, self.since, hint)  # before more is written to it
        processes.end([self.process], processes.GRACE_OF_SUPERVISOR)
        raise error

    def close(self) -> None:
        if self.sign is not None:
            self.sign.close()


def _begin(steps: Sequence[StartProgram], session: Session) -> list[_Begun]:
    """Have programs forked, recorded, and begin. Return them once all are executed. Raise LabError."""
    state, since = session.state, stamp(time.time_ns())
    recorded = state.read()
    tasks = [task_of(step.spec, state) for step in steps]

    def record(number: int, process: Process) -> None:
        spec = steps[number].spec
        if spec.ref in recorded.programs:
            end_left(spec.ref, recorded.namespaces)
        remove(tasks[number].record)
        state.record_program(Program(process, spec, signatures(spec.words, tasks[number].launch.directory)))

    found = []
    with session.fork(tasks) as waiting:
        for step, task, process in zip(steps, tasks, waiting.begin(record), strict=True):
            substitution = _substitution(step.spec)
            if substitution:
                state.record_substitution(substitution)
            ready = step.spec.ready
            sign = sign_of(ready, task, process, since) if ready else None
            seconds = ready.within if ready else SETTLED
            patience = Patience(seconds, process.pid)
            found.append(_Begun(step, task, process, since, seconds, patience, sign, substitution))
    return found


def task_of(spec: ProgramSpec, state: State) -> ProgramTask:
    """Return what is to be done for a program."""
    user = user_here(spec.user) if spec.user else None
    directory = spec.cwd or working_directory.here()
    environment = {**(user.variables if user else {}), **marks(state.lab, spec.ref), **dict(spec.env)}
    return ProgramTask(
        f"the program {spec.ref}",
        spec.command,
        Launch(spec.words, directory, environment, user),
        namespaces.path_of(spec.ref.namespace),
        state.log_of(spec.ref),
        state.run_record_of(spec.ref),
        spec.restart,
        signal.Signals[f"SIG{spec.stop_signal}"],
    )


def _substitution(spec: ProgramSpec) -> Substitution | None:
    if spec.user is None or uid_here(spec.user) is not None:
        return None
    return Substitution(spec.ref, f"user {spec.user}", "your own user", "a rootless lab knows no other user than you")
