"""The lessons that ship, in their order, as a student stands in them; and what one was about, once it is over."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.learn.lesson.load import LessonFile, heading
from labctl.learn.lesson.shipped import folders
from labctl.learn.progress import Folder, Progress
from labctl.report.lesson.course import Listed, Passed, State


def listed(folder: Folder) -> tuple[Listed, ...]:
    """Return the lessons in their order, each with how far the student is. Raise FileMistakes."""
    return tuple(
        _listed(path.name.partition("-")[0].lstrip("0"), name, *heading(path), folder.read(name))
        for name, path in folders().items()
    )


def _listed(number: str, name: str, title: str, minutes: int, known: Progress | None) -> Listed:
    if known is None:
        return Listed(number, name, title, minutes)
    seconds = sum(step.seconds for step in known.steps)
    state: State = "done" if known.finished else "begun"
    return Listed(number, name, title, minutes, state, known.step + 1, known.of, seconds, known.since)


def current(lessons: Sequence[Listed]) -> Listed | None:
    """Return the lesson that a student goes on with: the one begun last, or the first new one; None where all are done.

    A new one is looked for from the last one that is done: who begins in the middle goes on there.
    """
    begun = [each for each in lessons if each.state == "begun"]
    if begun:
        return max(begun, key=lambda each: each.since)
    last = max((at for at, each in enumerate(lessons) if each.state == "done"), default=-1)
    return next((each for each in (*lessons[last + 1 :], *lessons) if each.state == "new"), None)


def following(name: str) -> str:
    """Return the name of the lesson after one; empty where there is none, or that one does not ship."""
    names = list(folders())
    after = names[names.index(name) + 1 :] if name in names else []
    return after[0] if after else ""


def passed(file: LessonFile, progress: Progress) -> tuple[Passed, ...]:
    """Return the steps of a lesson as the student has gone through them."""
    return tuple(
        Passed(section.title, step.seconds, step.hints, step.skipped, step.predicted, asked.right if asked else "")
        for section, step, asked in zip(
            file.sections, progress.steps, (step.predict for step in file.steps), strict=True
        )
    )
