"""The lab of a lesson: put into the state that a step begins with, whatever has become of it.

That state is reached by a way that is always the same: the lab is made anew, with the edits of all steps so far; what
earlier steps did to it is done again, and what their solutions changed; then what this step does. An earlier step whose
goals are not checks of the lab is one that only looks, and its solution is left out.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

from labctl.api.client import Client, client
from labctl.api.lab import Lab
from labctl.errors import LabError
from labctl.learn.challenges.choice import Placed, placed
from labctl.learn.changes import LONGEST, Action, ChangeFailed, Impair, Run, Start, perform
from labctl.learn.faults.shell import as_typed
from labctl.learn.lesson.load import LessonFile
from labctl.learn.lesson.model import Setup, Solution


class Stage:
    """The lab of a lesson."""

    def __init__(self, file: LessonFile) -> None:
        self.file = file
        self.name = file.labs[0].name
        self._client: Client | None = None  # held, or it would be started anew whenever nothing looks at the lab

    @property
    def lab(self) -> Lab:
        """Return the lab as it runs. Raise UsageError where it does not."""
        self._client = client()
        return Lab(self.name)

    def identity(self) -> str:
        """Return which lab of this name runs; empty where none does."""
        with suppress(LabError):
            return self.lab.id
        return ""

    def make(self, number: int) -> Lab:
        """Make the lab anew, as a step begins with it. Raise LabError; then, or where interrupted, there is none."""
        self._client = client()
        lab = Lab.up(self.file.labs[number], fresh=True)
        try:
            for earlier in range(number):
                self._set_up(lab, earlier)
                if self.file.steps[earlier].check:
                    self.solve(lab, earlier)
            self._set_up(lab, number)
            lab.record_commands()  # from now on: what the lesson itself has run is none of the student's
        except BaseException:
            lab.down()
            raise
        return lab

    def go_on(self, number: int) -> Lab:
        """Begin a step with the lab as the step before has left it. Raise LabError."""
        lab = self.lab
        if any(setup.edit is not None for setup in self.file.steps[number].setup):
            lab = Lab.up(self.file.labs[number])
        self._set_up(lab, number)
        lab.record_commands()
        return lab

    def solve(self, lab: Lab, number: int) -> None:
        """Do what the solution of a step says, and mend its faults. Raise LabError."""
        for fault in self._faults(number):
            for action in fault.injected.solve:
                perform(lab, action)
        for solution in self.file.steps[number].solve:
            do(lab, solution)

    def solution(self, number: int) -> tuple[str, ...]:
        """Return the commands of the solution of a step, as a student types them."""
        mended = [as_typed(action) for fault in self._faults(number) for action in fault.injected.solve]
        return (*mended, *(solution.command for solution in self.file.steps[number].solve))

    def _set_up(self, lab: Lab, number: int) -> None:
        for setup in self.file.steps[number].setup:
            for action in _actions(setup):
                perform(lab, action)
        for fault in self._faults(number):
            for action in fault.injected.changes:
                perform(lab, action)

    def _faults(self, number: int) -> list[Placed]:
        """Return the faults of a step, each along the way of a check of the step, for the seed of the lesson."""
        step = self.file.steps[number]
        checked = self.file.labs[number].replace(checks=step.check)
        return [placed(checked, setup.fault, self.file.seed) for setup in step.setup if setup.fault is not None]


def _actions(setup: Setup) -> Iterator[Action]:
    """Yield what one item of `setup` does to the lab that runs: an edit is of the topology, which it was made of."""
    if setup.run is not None:
        yield Run(setup.in_ or "", setup.run)
    elif setup.start is not None:
        yield Start(setup.in_ or "", setup.start)
    elif setup.impair is not None:
        yield Impair(str(setup.impair.device), setup.impair.words, setup.impair.direction)


def do(lab: Lab, solution: Solution) -> None:
    """Do one thing that a student may do. Raise LabError where it is refused."""
    namespace = solution.in_ or ""
    if typed := solution.run or solution.start:
        lab.record_command(namespace, typed)
    if solution.run is not None:
        perform(lab, Run(namespace, solution.run))
    if solution.start is not None:
        perform(lab, Start(namespace, solution.start))
    if solution.labctl is None:
        return
    command = [sys.executable, "-m", "labctl", *shlex.split(solution.labctl)]
    environment = {**os.environ, "LABCTL_LAB": lab.name}
    failed = f"labctl {solution.labctl} failed"
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        raise ChangeFailed(failed, f"it has not ended in {LONGEST:g} s", "labctl status shows the lab") from None
    if done.returncode not in (0, 1):  # 1 is a check that failed
        raise ChangeFailed(failed, done.stderr.decode(errors="replace").strip(), "labctl status shows the lab")
