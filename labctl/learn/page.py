"""What is shown of a lesson at a moment: pure, from the lesson, the progress, and what is known of the lab.

What is to be expected is asked first. Until it is answered neither goals nor commands are shown: who has looked has
nothing left to expect. Of several questions only the one that is asked now is shown, so that it gets the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from labctl.frozen import frozen
from labctl.learn.goals import goals_of, hints_of
from labctl.learn.lesson.load import LessonFile
from labctl.learn.lesson.model import Step
from labctl.learn.lesson.sections import before_commands
from labctl.learn.progress import Progress, StepProgress
from labctl.live.state import LabState
from labctl.report.lesson import Page, Question

PREDICTION = "prediction"
"""The name of the question what the student expects."""


@frozen
class Told:
    """What a student has been told at the current step beside its text."""

    hints: tuple[str, ...] = ()  # those that were asked for, as they were then
    wrong: Mapping[str, str] = field(default_factory=dict)  # what to say to the last answer, by question
    solution: tuple[str, ...] = ()  # its commands, once the step was skipped

    def of(self, question: str, wrong: str) -> Told:
        """Return the same with what is said to an answer; nothing is, where that is empty."""
        others = {name: said for name, said in self.wrong.items() if name != question}
        return replace(self, wrong={**others, question: wrong} if wrong else others)


def page_of(file: LessonFile, progress: Progress, lab: LabState, told: Told, notice: str) -> Page:
    """Return the page of the current step."""
    step, section, current = file.steps[progress.step], file.sections[progress.step], progress.current
    over, waits = current.over, awaits_prediction(step, current)
    text = f"{file.introduction}\n\n{section.text}" if progress.step == 0 else section.text
    goals, question = goals_of(step, current, lab), None if over else _question(step, current, told)
    later = {each.name for each in step.answer if each.name not in current.reached} - {
        question.name if question else ""
    }
    because = step.predict.because if step.predict else ""
    return Page(
        lesson=file.name,
        title=file.lesson.title,
        step=progress.step,
        steps=tuple(
            "here" if number == progress.step and not each.over
            else "skipped" if each.skipped
            else "done" if each.done
            else "ahead"
            for number, each in enumerate(progress.steps)
        ),
        heading=section.title,
        text=before_commands(text) if waits and not over else text,
        goals=() if waits else tuple(goal for goal in goals if goal.name not in later),
        question=question,
        predicted=current.predicted,
        right=step.predict.right if step.predict and over else "",
        hints=told.hints,
        hints_left=len(told.hints) < len(hints_of(step, goals, lab)),
        done=over,
        afterwards="\n\n".join(filter(None, (because, section.afterwards))) if over else "",
        solution=told.solution,
        notice=notice,
    )  # fmt: skip


def awaits_prediction(step: Step, progress: StepProgress) -> bool:
    """Return whether the student is still to say what they expect."""
    return step.predict is not None and not progress.predicted


def _question(step: Step, progress: StepProgress, told: Told) -> Question | None:
    """Return what is asked now: first what is expected, then what is to be found out, one after the other."""
    if step.predict is not None and awaits_prediction(step, progress):
        return Question(PREDICTION, step.predict.question, step.predict.choices)
    for answer in step.answer:
        if answer.name not in progress.reached:
            return Question(answer.name, answer.question, wrong=told.wrong.get(answer.name, ""))
    return None
