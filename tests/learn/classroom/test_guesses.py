"""The topology of a lab that no teacher has named: what may be another one has not failed, and never passes."""

from __future__ import annotations

import sys
import time
from typing import Any

from labctl.topology.shipped import text_of
from tests.e2e.world import World
from tests.learn.classroom.cheats import broken
from tests.learn.classroom.conftest import needs_root
from tests.learn.classroom.school import Student, school, written
from tests.learn.classroom.test_class import CHECKS
from tests.learn.classroom.test_hostile import PLACE, progress

IS_IN_A_LESSON = """
from labctl.learn.lesson.shipped import load_named
from labctl.learn.player import Player
from labctl.learn.progress import Folder
file = load_named("tun", 7)
with Player.open(file, Folder()) as player:
    player.start()
print(file.labs[0].ttun[0].bind.port)
"""


def reports(student: Student, since: float) -> None:
    """Have a student say to be in a lesson in the lab two-site."""
    written(student, f"{PLACE}/tun.json", progress(lesson="tun", lab="two-site", since=since))


def verified(teacher: World, *words: str, code: int = 1) -> dict[str, dict[str, Any]]:
    """Return what the checks say, by user and lab."""
    rows = teacher.json("class", "verify", *words, code=code)
    return {f"{row['user']}/{row['lab']}": row["checks"] for row in rows}


def test_a_lab_that_may_be_of_another_topology_has_not_failed_and_not_passed() -> None:
    needs_root()
    with school(5) as made:
        learns, lies, well, idle, other = made.students
        assert learns.run(sys.executable, "-c", IS_IN_A_LESSON).stdout.strip() not in ("", "9000")
        text = text_of("two-site").replace(":9000", ":9017")
        changed = written(other, "two-site.yaml", text)
        for student in (lies, well, idle):
            student.labctl("up", "two-site")
        other.labctl("up", str(changed))
        for student in (lies, idle):
            broken(student)
        for student in (lies, well):
            reports(student, time.time())
        reports(idle, time.time() - 7200)  # before this lab was made

        found = verified(made.teacher)
        of_lesson = "it is reported to be the lab of lesson tun: ask with --lesson tun"
        for student in (learns, lies):
            assert found[f"{student.name}/two-site"] == {"passed": False, "why": of_lesson, "results": []}
        assert found[f"{well.name}/two-site"]["passed"]  # it was measured, whatever is reported
        failed = {each["name"] for each in found[f"{idle.name}/two-site"]["results"] if each["asked"] != each["passed"]}
        assert len(failed) > 2
        moved = [each for each in found[f"{other.name}/two-site"]["results"] if not each["passed"]]
        assert moved and not any(each["asked"] for each in moved)
        words = "nothing has UDP port 9000, that of siteA:tun0, in siteA, and something has 9017"
        assert all(words in each["lost"] and "--lesson" in each["lost"] for each in moved)
        assert of_lesson in made.teacher.labctl("class", "verify", learns.name, code=5).stdout

        named = verified(made.teacher, learns.name, lies.name, other.name, "--checks", "two-site")
        for checks in named.values():  # whoever names a topology has it held against
            assert any(each["asked"] and not each["passed"] for each in checks["results"])
        assert any(each["lost"] == "" for each in named[f"{lies.name}/two-site"]["results"] if not each["passed"])

        checks_alone = made.teacher.file("checks.yaml", CHECKS)
        lies.labctl("up", "single-host")  # which has none of the namespaces that the checks name
        alone = verified(made.teacher, "--checks", checks_alone)
        assert alone[f"{learns.name}/two-site"]["why"] == of_lesson and alone[f"{well.name}/two-site"]["passed"]
        assert set(alone) == {f"{student.name}/two-site" for student in made.students}
        lies.labctl("down", "two-site")
        alone = verified(made.teacher, "--checks", checks_alone)
        assert alone[f"{lies.name}/single-host"]["why"] == "the checks do not fit lab single-host"
        assert "siteA" in made.teacher.labctl("class", "verify", lies.name, "--checks", checks_alone, code=2).stderr
