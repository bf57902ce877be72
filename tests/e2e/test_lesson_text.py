"""The shipped lessons, gone through by one who types what their text says, and reads no code."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from labctl.learn.lesson.shipped import folders, load_named
from tests.docs.pages import blocks_of
from tests.e2e.reader import Reader, install
from tests.e2e.student import Student
from tests.e2e.world import World

SEED = 3


@pytest.mark.parametrize("lesson", folders())
def test_who_types_what_the_text_says_reaches_every_step(lesson: str, as_user: World) -> None:
    install(as_user)
    file = load_named(lesson, SEED)
    with Student(as_user, lesson, SEED) as student:
        for number, (step, section) in enumerate(zip(file.steps, file.sections, strict=True)):
            assert number == 0 or student.go_on() == "", step.name
            with ExitStack() as until_the_step_ends:
                reader = until_the_step_ends.enter_context(Reader(as_user))
                assert student.predict() == "", step.name
                _type(reader, section.text if number else f"{file.introduction}\n{section.text}")
                assert student.finish() == ""
                _type(reader, section.afterwards)
    as_user.labctl("down", "--all")


def _type(reader: Reader, text: str) -> None:
    for block in blocks_of(text):
        if block.language == "console":
            for command in block.commands:
                reader.type(command)
