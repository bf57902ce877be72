"""A new user without root, in tmux at 80x24, who does what a lesson says; `make lessons` is for all that ship."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from labctl.learn.answers import right
from labctl.learn.lesson.load import LessonFile
from labctl.learn.lesson.shipped import folders, load_named
from tests.docs.pages import Command, blocks_of
from tests.e2e.reader import install
from tests.e2e.terminal import Screen, screen
from tests.e2e.world import World

LESSONS = folders() if os.environ.get("LESSONS") == "all" else ["cable"]
TIMES = 4
"""How often a person does what the text says, where it has no effect at first: something was not ready for it."""

F2 = "\x1bOQ"


class _Lab:
    """A lab as one who looks into it with labctl exec sees it."""

    def __init__(self, here: World, namespace: str = "") -> None:
        self._here = here
        self._namespace = namespace

    def __getitem__(self, namespace: str) -> _Lab:
        return _Lab(self._here, namespace)

    def run(self, words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return self._here.labctl("exec", self._namespace, "--", *words, code=None)


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_is_gone_through_in_tmux(lesson: str, as_user: World) -> None:
    install(as_user)
    file, numbers = load_named(lesson, 1), count(1)
    around = (f"PATH={as_user.home}/bin:{os.environ['PATH']}", "SHELL=/bin/bash", "PS1=$ ")
    with screen(as_user, "env", *around, "labctl", "learn", lesson, "--shell", "--seed", "1") as terminal:
        terminal.shows("Commands go here", "~$")
        for number in range(len(file.steps)):
            terminal.shows(f"step {number + 1} of {len(file.steps)}")
            _through(terminal, as_user, file, number, numbers)
            terminal.type("\n")
        assert terminal.end() == 0
        said = terminal.seen
    assert "done in" in said and all(section.title in said for section in file.sections)
    assert as_user.json("list") == []


def _through(terminal: Screen, here: World, file: LessonFile, number: int, numbers: Iterator[int]) -> None:
    """Go through a step, until it is done."""
    step, section = file.steps[number], file.sections[number]
    text = section.text if number else f"{file.introduction}\n{section.text}"
    if step.predict is not None:
        terminal.shows("  answer   h")
        terminal.type(str(step.predict.choices.index(step.predict.right) + 1))
        terminal.until(lambda lines: not any(line.startswith(" 1-") for line in lines), "the prediction is taken")
    for _ in range(TIMES):
        terminal.type(F2)
        for command in _commands_of(text):
            _type(terminal, command, next(numbers))
        terminal.type(F2)
        for answer in step.answer:
            terminal.type(f"a{right(answer, _Lab(here))}\n")  # type: ignore[arg-type]
        try:
            terminal.shows("This step is done.")
        except AssertionError:
            continue
        return
    terminal.shows("This step is done.")


def _commands_of(text: str) -> Iterator[Command]:
    for block in blocks_of(text):
        if block.language == "console":
            yield from block.commands


def _type(terminal: Screen, command: Command, number: int) -> None:
    """Type a command, and wait for its end."""
    ended = f"echo typed-$(({number}))"
    if command.until_interrupted:
        terminal.type(f"{command.line}\n")
        terminal.shows(command.line[:20])
        terminal.type(f"\x03{ended}\n")
    else:  # in one line: what is typed ahead would stop a program in the background that reads (SIGTTIN)
        terminal.type(f"{command.line}{' ' if command.line.endswith('&') else '; '}{ended}\n")
    terminal.shows(f"typed-{number}")
