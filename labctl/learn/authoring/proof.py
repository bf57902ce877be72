"""Whether a lesson does what it claims, by going through it: each step of it in a lab of its own.

    begin      the lab of the step is made
    before     not all of its goals are reached, once every check has its verdict
    hints      each is told for the failure that it is for
    after      all of its goals are reached by `solve` and the right answers
    back       the lab is as it was when the step began, and the goals are open again

What a lesson claims falsely is a finding: a sentence for its author. A lesson without findings can be gone through, and
cannot be passed by doing nothing.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

from labctl.errors import LabError
from labctl.frozen import frozen
from labctl.learn.answers import right
from labctl.learn.lesson.load import LessonFile
from labctl.learn.lesson.model import Hint
from labctl.learn.page import PREDICTION
from labctl.learn.player import Player
from labctl.learn.progress import Folder, begun
from labctl.learn.stage import do

PATIENCE = 20.0
"""Seconds for the verdicts of the checks, and for a step to be done after its solution; beside what checks wait for."""

SETTLE = 0.6
"""Seconds after the last verdict in which packets and commands are counted that are not the student's."""


@frozen
class StepProof:
    """What was found of a step; `back` is how many seconds it took to begin it again."""

    lesson: str
    seed: int
    step: str
    findings: tuple[str, ...]
    back: float


def prove(file: LessonFile, names: Collection[str], tell: Callable[[StepProof], object]) -> tuple[StepProof, ...]:
    """Prove the steps of these names, or all where none is named, and tell what was found of each. The lab is ended.

    Raise UsageError where a lab of its name runs.
    """
    found = []
    for number, step in enumerate(file.steps):
        if names and step.name not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            found.append(_StepProver(file, number, Path(folder)).prove())
        tell(found[-1])
    return tuple(found)


class _StepProver:
    def __init__(self, file: LessonFile, number: int, folder: Path) -> None:
        names = [step.name for step in file.steps]
        progress = replace(begun(file.name, file.seed, file.labs[0].name, names), step=number)
        self._player = Player(file, Folder(folder), progress)
        self._step = file.steps[number]
        self._file = file
        self._back = 0.0

    def prove(self) -> StepProof:
        findings: list[str] = []
        with self._player:
            try:
                self._player.start()
                findings += self._findings()
            except LabError as error:
                findings.append(f"the lab refuses it: {error.what}: {error.why}")
            finally:
                if self._player.progress.lab_id:
                    self._player.stage.lab.down()
        return StepProof(self._file.name, self._file.seed, self._step.name, tuple(findings), self._back)

    def _findings(self) -> Iterator[str]:
        before = self._open_goals()
        if before is None:
            yield "its checks have no verdict in time"
            return
        if not before and (self._step.check or self._step.seen or self._step.typed):
            yield "it is done before anything was done: every goal is reached when it begins"
        yield from self._hints()
        yield from self._solved()
        began = time.monotonic()
        self._player.back()
        self._back = time.monotonic() - began
        again = self._open_goals()
        if again is None or again != before:
            lost = ", ".join(sorted(set(before) ^ set(again or ()))) or "its checks"
            yield f"back does not restore it: {lost} differs from when it began"

    def _open_goals(self) -> tuple[str, ...] | None:
        """Return the goals that are not reached once all checks have a verdict, without those that are questions.

        None where some have none in time.
        """
        self._predict()
        wanted = {check.name for check in self._step.check}
        end, settled = time.monotonic() + self._patience(), float("inf")
        for moment in self._player.moments(pause=0.1):
            verdicts = {name for name, check in moment.state.checks.items() if check.verdict is not None}
            if wanted <= verdicts and moment.state.phase == "up":
                settled = min(settled, time.monotonic() + SETTLE)
            if time.monotonic() >= min(end, settled):
                break
        if settled == float("inf"):
            return None
        questions = {answer.name for answer in self._step.answer}
        return tuple(goal.name for goal in self._player.goals if goal.state != "reached" and goal.name not in questions)

    def _hints(self) -> Iterator[str]:
        """Yield the hints that are not told for the failure that they are for."""
        plain = [hint for hint in self._step.hints if not hint.after]
        told = self._player.all_hints()
        yield from (_not_told(hint) for hint in plain if hint.text not in told)
        for hint in self._step.hints:
            if hint.after:
                self._player.back()
                for solution in hint.after:
                    do(self._player.stage.lab, solution)
                self._open_goals()
                if hint.text not in self._player.all_hints():
                    yield _not_told(hint)
        if any(hint.after for hint in self._step.hints):
            self._player.back()
            self._open_goals()

    def _solved(self) -> Iterator[str]:
        """Solve the step, and yield what is still not reached."""
        lab = self._player.stage.lab
        self._player.stage.solve(lab, self._player.progress.step)
        for answer in self._step.answer:
            typed = right(answer, lab)
            self._player.answer(answer.name, typed)
            if answer.name not in self._player.progress.current.reached:
                yield f"the answer {typed!r} to {answer.name} is not taken as right"
        end = time.monotonic() + self._patience()
        for _ in self._player.moments(pause=0.1):
            if self._player.progress.current.done or time.monotonic() > end:
                break
        if not self._player.progress.current.done:
            goals = self._player.goals
            left = [f"{goal.name} ({goal.observed})" if goal.observed else goal.name for goal in goals]
            yield f"it is not done by its solution: {', '.join(left)}"

    def _predict(self) -> None:
        if self._step.predict is not None:
            self._player.answer(PREDICTION, self._step.predict.right)

    def _patience(self) -> float:
        waits = (getattr(check.probe, "timeout", 0) + getattr(check.probe, "seconds", 0) for check in self._step.check)
        return PATIENCE + 2 * sum(waits)


def _not_told(hint: Hint) -> str:
    return f"the hint {hint.text[:40]!r} is not told where it is needed"
