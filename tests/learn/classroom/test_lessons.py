"""Lessons in a class: a seed for each student, and the checks of a step for it; messages."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest

from labctl.learn.classroom.roster import entries, users_in
from labctl.learn.classroom.spool import DIRECTORY
from labctl.learn.classroom.tables import ago
from labctl.learn.lesson.load import LessonFile
from labctl.learn.lesson.shipped import load_named
from tests.e2e.world import World
from tests.learn.classroom.conftest import needs_root
from tests.learn.classroom.school import Student, school

ASKS = """
from labctl.learn.classroom.spool import messages, own_seed, seed_of
print(own_seed(), [each.text for each in messages()], seed_of({other}))
"""


LEARNS = """
from dataclasses import replace
from labctl.learn.classroom.spool import own_seed
from labctl.learn.lesson.shipped import load_named
from labctl.learn.player import Player
from labctl.learn.progress import Folder
with Player.open(load_named("cable", own_seed()), Folder()) as player:
    player.progress = replace(player.progress, step={number})
    player.back()
    player.hint()
"""


def solves(student: Student, lesson: LessonFile, number: int) -> None:
    """Type what the solution of a step says."""
    for solution in lesson.steps[number].solve:
        if solution.run:
            student.labctl("exec", solution.in_ or "", "--", "sh", "-c", solution.run, code=None)


def failing(teacher: World, *words: str) -> dict[str, set[str]]:
    """Return the checks that have not passed, by user."""
    rows: list[dict[str, Any]] = teacher.json("class", *words, code=None)
    return {row["user"]: {each["name"] for each in row["checks"]["results"] if not each["passed"]} for row in rows}


def test_each_student_has_addresses_and_checks_of_their_own() -> None:
    needs_root()
    with school(2) as made:
        alice, bob = made.students
        roster = made.teacher.file("roster.csv", "user,name\nalice,A\nbob,B\nzoe,Z\n")
        given = {each["user"]: each for each in made.teacher.json("class", "roster", roster)}
        assert len({each["seed"] for each in given.values()}) == 3
        assert [each["known"] for each in given.values()] == [True, True, False]
        assert {row["user"]: row["lab"] for row in made.teacher.json("class", "--quick")} == {"alice": "", "bob": ""}

        made.teacher.labctl("class", "message", "well done\x1b[2J", "--user", "alice")
        told = alice.run(sys.executable, "-c", ASKS.format(other=bob.uid)).stdout
        seed = given["alice"]["seed"]
        assert told == f"{seed} ['well done\N{REPLACEMENT CHARACTER}[2J'] None\n"

        lessons = [load_named("cable", given[student.name]["seed"]) for student in made.students]
        assert lessons[0].labs != lessons[1].labs
        number = next(place for place, step in enumerate(lessons[0].steps) if step.check)
        for student in made.students:
            student.run(sys.executable, "-c", LEARNS.format(number=number))
        names = {check.name for check in lessons[0].steps[number].check}
        words = ("verify", "--lesson", "cable", "--step", str(number + 1))
        assert failing(made.teacher, *words) == {"alice": names, "bob": names}
        solves(alice, lessons[0], number)
        solves(bob, lessons[0], number)  # copied from the neighbour
        assert failing(made.teacher, *words) == {"alice": set(), "bob": names}
        assert failing(made.teacher) == {"alice": set(), "bob": names}  # at the step that each reports
        row = made.teacher.json("class", "--quick")[0]
        assert (row["lab"], row["remarks"]) == (lessons[0].labs[0].name, [])
        lesson = row["lesson"]
        assert (lesson["lesson"], lesson["step"], lesson["of"]) == ("cable", number + 1, len(lessons[0].steps))
        assert (lesson["seed"], lesson["hints"], lesson["skipped"]) == (seed, 1, 0)
        table = made.teacher.labctl("class", "--quick").stdout
        assert f"{number + 1}/{len(lessons[0].steps)}" in table and "reported of themselves" in table

        at_own_steps = made.teacher.labctl("class", "verify", "--lesson", "cable", code=1).stdout
        assert "~ step" in at_own_steps and f"{number + 1}/{len(lessons[0].steps)}" in at_own_steps
        assert "~" not in made.teacher.labctl("class", *words, code=1).stdout
        assert "has no step 99" in made.teacher.labctl("class", *words[:-1], "99", code=2).stderr
        made.teacher.labctl("class", "down", "--all")
        assert not made.teacher.inside(DIRECTORY.exists)


def test_a_seed_is_that_of_the_name_whoever_else_is_there() -> None:
    some, more = dict(entries(["alice", "bob"], "spring")), dict(entries(["zoe", "bob", "alice"], "spring"))
    assert some["alice"] == more["alice"] and some["bob"] == more["bob"]
    assert some != dict(entries(["alice", "bob"], "autumn"))
    assert len(set(dict(entries([f"student{number}" for number in range(1000)], "")).values())) == 1000


@pytest.mark.parametrize(
    "text, users",
    [
        ("alice\nbob\n", ["alice", "bob"]),
        ("User,Given name\r\nalice,Alice\r\n\r\n", ["alice"]),
        ('# of 2026\n"alice",x\n', ["alice"]),
    ],
)
def test_a_roster_is_the_first_column(text: str, users: list[str]) -> None:
    assert users_in(text) == users


def test_time_of_a_step_is_told_in_words() -> None:
    now = time.time()
    assert [ago(now - seconds, now) for seconds in (5, 300, 9000, 300000, -3)] == ["5 s", "5 min", "2 h", "3 d", "0 s"]
