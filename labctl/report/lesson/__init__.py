"""A step of a lesson as a person reads it: plain data, for a terminal and for a page."""

from __future__ import annotations

from typing import Literal

from labctl.frozen import frozen

GoalState = Literal["open", "failed", "reached"]


@frozen
class Goal:
    """What is to be reached: what the student is to do or to see, and what is observed now."""

    name: str
    text: str
    state: GoalState = "open"
    observed: str = ""


@frozen
class Question:
    """What the student is to answer now: one of the choices, or by typing where there are none."""

    name: str
    text: str
    choices: tuple[str, ...] = ()
    wrong: str = ""  # what to say to the last answer, where that was wrong


@frozen
class Page:
    """All that is shown of a lesson at a moment. `text`, `hints` and `afterwards` are Markdown."""

    lesson: str
    title: str
    step: int  # from 0
    steps: tuple[Literal["ahead", "here", "done", "skipped"], ...]
    heading: str
    text: str
    goals: tuple[Goal, ...] = ()
    question: Question | None = None
    predicted: str = ""  # what the student expected
    right: str = ""  # what is the case, once that is told
    hints: tuple[str, ...] = ()
    hints_left: bool = True
    done: bool = False
    afterwards: str = ""
    solution: tuple[str, ...] = ()  # the commands that have solved it, where it was skipped
    notice: str = ""  # what labctl, or the teacher, has to say
