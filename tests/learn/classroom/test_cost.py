"""A class at once on one machine: none fails, none waits for another, and no lab is large.

`make class-cost` does the same with thirty who run labctl as programs, and shows the figures.
"""

from __future__ import annotations

import subprocess
from typing import Any

from benchmarks.memory import pss
from labctl.engine.core import library
from tests.e2e.labs import tunnel
from tests.e2e.world import World, eventually
from tests.learn.classroom.conftest import needs_root
from tests.learn.classroom.school import School, school

STUDENTS = 8
MOST = {"c": 18, "python": 26}
"""MB of a lab with two sites, by the core of its engines: a quarter more than was measured."""

CHECKS = """\
  - name: ping
    ping: {from: siteA, to: 10.0.102.1}
    crosses: ["siteA:tun0", "siteB:tun1"]
  - name: silence
    ping: {from: siteA, to: 10.0.102.9, timeout: 0.3}
    expect: no-reply
    crosses: ["siteA:tun0", "siteB:tun1"]
"""


def test_all_of_a_class_do_the_same_at_once() -> None:
    needs_root()
    with school(STUDENTS) as made:
        before = [student.snapshot() for student in made.students]
        executed(made, "up", made.teacher.file("tunnel.yaml", tunnel(checks=CHECKS)))
        for student in made.students:
            assert len(student.processes()) == 3, "a holder and two engines, and nothing else"
            assert memory(student) < MOST[library.chosen()[0]]
        made.together("verify")
        made.together("down")
        eventually(lambda: [student.snapshot() for student in made.students] == before, "nothing is left")


def executed(made: School, *arguments: str) -> None:
    """Have all run labctl at once as a program: as a fork of the tests it would have their memory."""
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    started = [student.start(student.command(*arguments), **pipes) for student in made.students]
    for process in started:
        told, _ = process.communicate(timeout=120)
        assert process.returncode == 0, told


def memory(student: World) -> float:
    """MB of all processes of a student."""
    return sum(pss(pid) for pid, _ in student.processes())
