"""A lesson that is being gone through: where its lab stands, what the student has done, and what is shown of both.

    what happens in the lab -> goals -> page

Whoever shows the page (a terminal, a browser, a test) waits for its next moment, and says what the student asks for:
an answer, a hint, the beginning of the step again, the solution, the next step. The lab is changed by nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial

from labctl.api.lab import Lab
from labctl.errors import LabError, UsageError
from labctl.lab.live.goal_checker import check_goals
from labctl.lab.live.matcher import match_commands, match_packets
from labctl.lab.live.observer import observe
from labctl.lab.live.watch import Moment, Watch, Work
from labctl.learn.answers import is_right
from labctl.learn.classroom.spool import messages
from labctl.learn.goals import commands_of, goals_of, hints_of, is_done, lasting, patterns_of
from labctl.learn.lesson.load import LessonFile
from labctl.learn.lesson.model import Step
from labctl.learn.page import PREDICTION, Told, awaits_prediction, page_of
from labctl.learn.progress import BEING_MADE, Folder, Progress, StepProgress, begun
from labctl.learn.stage import Stage
from labctl.live.state import LabState
from labctl.report.lesson import Goal, Page

_GONE = "The lab is down: go back to the beginning of this step, and it is there again."

RECENT = 1800.0
"""Seconds for which a message of the teacher is shown."""


class Player:
    """One student in one lesson.

    With the context manager it is opened here alone, and afterwards nothing looks at the lab any more; the lab stays.
    """

    def __init__(self, file: LessonFile, folder: Folder, progress: Progress) -> None:
        self.file = file
        self.progress = progress
        self.stage = Stage(file)
        self.notice = ""
        self.folder = folder
        self._watch: Watch | None = None
        self._others: Mapping[str, Work] = {}
        self._lab = LabState(self.stage.name)
        self._told = Told()
        self._counted = time.monotonic()  # until when the time of the current step is counted
        self._open = ExitStack()
        self._is_gone = False  # the lab was there, and was taken down
        self._message = ""  # of the teacher

    @classmethod
    def open(cls, file: LessonFile, folder: Folder) -> Player:
        """Return the player of a lesson: where the student was, if it is the same lesson, or else at its beginning."""
        names = [step.name for step in file.steps]
        known = folder.read(file.name)
        if known is None or not known.fits(names) or known.seed != file.seed:
            return cls.anew(file, folder)
        return cls(file, folder, known)

    @classmethod
    def anew(cls, file: LessonFile, folder: Folder) -> Player:
        """Return the player of a lesson at its beginning. The lab that the student has of it is not another's."""
        known = folder.read(file.name)
        new = begun(file.name, file.seed, file.labs[0].name, [step.name for step in file.steps])
        return cls(file, folder, replace(new, lab_id=known.lab_id if known else ""))

    def __enter__(self) -> Player:
        self._open.enter_context(self.folder.opened(self.file.name))
        return self

    def __exit__(self, *_: object) -> None:
        with self._open:
            if self.progress.current.began:
                self._keep(self.progress.current)
            self._look_no_more()

    @property
    def is_over(self) -> bool:
        """Return whether all steps are over, and the lab is ended."""
        return self.progress.finished and self.stage.identity() != self.progress.lab_id

    @property
    def step(self) -> Step:
        """Return the current step."""
        return self.file.steps[self.progress.step]

    @property
    def page(self) -> Page:
        """Return what is to be shown now."""
        notice = "\n".join(filter(None, (self._message, self.notice or (_GONE if self._is_gone else ""))))
        return page_of(self.file, self.progress, self._lab, self._told, notice)

    @property
    def goals(self) -> tuple[Goal, ...]:
        """Return the goals of the current step as they stand."""
        return goals_of(self.step, self.progress.current, self._lab)

    @property
    def looks(self) -> bool:
        """Return whether what happens in the lab from now on is seen."""
        return not self._awaits_prediction and all(seen.name in self._lab.matched for seen in self.step.seen)

    @property
    def _awaits_prediction(self) -> bool:
        return awaits_prediction(self.step, self.progress.current)

    def start(self) -> None:
        """Go on in the lab that runs, if it is the student's own; or make it as the current step begins.

        Where that step is over, and its lab is gone, the next one begins. Raise LabError: the lab cannot be made, or
        another one of its name runs.
        """
        current, running = self.progress.current, self.stage.identity()
        if running and self.progress.lab_id not in (running, BEING_MADE):
            raise self._another_lab(running)
        self._counted = time.monotonic()
        if current.began and running == self.progress.lab_id:
            self._tell_solution()
            self._look()
        elif not (current.over and self.forward()):
            self.back()

    def _another_lab(self, running: str) -> UsageError:
        """Return the error for a lab of this name that is not that of the lesson, which would have to end it."""
        name, other = self.stage.name, self.folder.lesson_in(running)
        whose = f"it is that of the lesson {other}" if other else "it is none of a lesson"
        return UsageError(
            f"lab {name} runs, and is not the one of this lesson", whose, f"labctl down {name}, then again"
        )

    def back(self) -> None:
        """Put the lab, and the student, at the beginning of the current step. Raise LabError."""
        with self._looking_again():
            lab = self._made(self.progress.step)
            before = self._timed(self.progress.current)
            self._begin(self.progress.step, lab, StepProgress(before.name, hints=before.hints, seconds=before.seconds))

    def forward(self) -> bool:
        """Go on to the next step. Return whether there is one. Raise LabError."""
        number = self.progress.step + 1
        if number == self.progress.of:
            return False
        with self._looking_again():
            self._begin(number, self._gone_on(number), StepProgress(self.file.steps[number].name))
        return True

    def _made(self, number: int) -> Lab:
        """Return the lab, made anew as a step begins with it: one that is half made after a kill is known as ours."""
        self.folder.write(replace(self.progress, lab_id=BEING_MADE))
        try:
            return self.stage.make(number)
        except BaseException:
            self.folder.write(self.progress)
            raise

    def _gone_on(self, number: int) -> Lab:
        """Return the lab as the student has it, where a step can begin with that; or else made anew."""
        if self.stage.identity() == self.progress.lab_id:
            with suppress(LabError):
                return self.stage.go_on(number)
        return self._made(number)

    def end(self) -> None:
        """End the lab, once the lesson is over. Raise LabError where it cannot be ended."""
        with self._looking_again():
            if self.stage.identity() == self.progress.lab_id:
                self.stage.lab.down()

    def skip(self) -> None:
        """Do what the solution of the current step says, and count the step as skipped: the page shows its commands.

        Raise LabError where the lab refuses it.
        """
        self.stage.solve(self.stage.lab, self.progress.step)
        self._keep(replace(self.progress.current, skipped=True))
        self._tell_solution()

    def _tell_solution(self) -> None:
        if self.progress.current.skipped:
            self._told = replace(self._told, solution=self.stage.solution(self.progress.step))

    def answer(self, question: str, typed: str) -> None:
        """Take an answer. Raise LabError where the lab cannot be asked whether it is right."""
        current = self.progress.current
        if question == PREDICTION:
            if self.step.predict is None or typed not in self.step.predict.choices:
                raise UsageError(f"{typed[:80]!r} is none of the choices", "", "choose one of them")
            self._keep(replace(current, predicted=typed))
            self._look()
            return
        asked = next(answer for answer in self.step.answer if answer.name == question)
        if is_right(asked, typed, self.stage.lab):
            self._told = self._told.of(question, "")
            self._keep(replace(current, reached=(*current.reached, question)))
        else:
            self._told = self._told.of(question, asked.wrong or "That is not it: look again.")
        self._advance()

    def hint(self) -> str:
        """Return the next hint that fits what is not reached, and count it; empty where there is none left."""
        left = [hint for hint in self.all_hints() if hint not in self._told.hints]
        if not left:
            return ""
        self._told = replace(self._told, hints=(*self._told.hints, left[0]))
        self._keep(replace(self.progress.current, hints=self.progress.current.hints + 1))
        return left[0]

    def moments(self, also: Collection[int] = (), output: Collection[int] = (), pause: float = 1.0) -> Iterator[Moment]:
        """Yield a moment whenever the page may be another one, until the student is at another step.

        `also` and `output` are as `Watch.moments` has them. Raise LabError.
        """
        watch = self._watch
        if watch is None:
            return
        for moment in watch.moments(also, output, pause):
            was_there = self._is_gone or self._lab.phase != "down"
            self._lab = moment.state
            self._is_gone = was_there and self._lab.phase == "down"
            self._message = _of_teacher(time.time())
            self._advance()
            yield moment
            if self._watch is not watch:
                return

    def follow(self, others: Mapping[str, Work]) -> None:
        """Have others look at the lab, too, for a view that shows more of it than the lesson asks for."""
        self._others = others
        self._look()

    @contextmanager
    def _looking_again(self) -> Iterator[None]:
        """Look no more at the lab while it is put into another state, and again where that fails."""
        self._look_no_more()
        try:
            yield
        except LabError:
            self._look()
            raise

    def _begin(self, number: int, lab: Lab, step: StepProgress) -> None:
        now = time.time()
        at = replace(self.progress, step=number, since=now, lab_id=lab.id)
        self.progress = at.with_current(replace(step, began=now))
        self._counted = time.monotonic()
        self._told = Told()
        self._lab, self._is_gone = LabState(self.stage.name), False
        self.folder.write(self.progress)
        self._look()

    def _keep(self, step: StepProgress) -> None:
        self.progress = self.progress.with_current(self._timed(step))
        self.folder.write(self.progress)

    def _timed(self, step: StepProgress) -> StepProgress:
        """Return the current step with the time that has passed since this was asked before, unless it is over."""
        passed, self._counted = time.monotonic() - self._counted, time.monotonic()
        return step if self.progress.current.over else replace(step, seconds=step.seconds + passed)

    def _advance(self) -> None:
        """Note what is reached, and whether the step is done by it."""
        current = self.progress.current
        if current.over or self._awaits_prediction:
            return
        goals = self.goals
        after = replace(current, reached=lasting(self.step, goals))
        if is_done(self.step, after, goals):
            after = replace(after, done=time.time())
        if after != current:
            self._keep(after)

    def all_hints(self) -> tuple[str, ...]:
        """Return the hints for what is not reached now, whether they were asked for or not."""
        return hints_of(self.step, self.goals, self._lab)

    def _look(self) -> None:
        """Look at the lab for what the current step waits for."""
        self._look_no_more()
        works: dict[str, Work] = {"observe": observe, **self._others}
        if not self._awaits_prediction:
            if self.step.check:
                works["goals"] = partial(check_goals, checks=self.step.check)
            if self.step.seen:
                works["packets"] = partial(match_packets, wanted=patterns_of(self.step))
            if self.step.typed:
                works["commands"] = partial(match_commands, wanted=commands_of(self.step))
        self._watch = Watch(self.stage.name, works)
        self._watch.state = replace(self._lab, checks={}, matched={})  # the lab is the same, what is looked for is not

    def _look_no_more(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None


def _of_teacher(now: float) -> str:
    """Return the last message of the teacher, if it is recent; `now` is in seconds since the epoch."""
    return next((f"The teacher says: {last.text}" for last in messages()[-1:] if now - last.at < RECENT), "")
