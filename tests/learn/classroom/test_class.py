"""A class of eight from the first lab to the last, as the teacher sees it."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from xml.etree import ElementTree as xml

from tests.e2e.world import eventually
from tests.learn.classroom.conftest import needs_root
from tests.learn.classroom.school import school, written

STUDENTS = 8
CHECKS = """
checks:
  - name: cable
    ping: {from: siteA, to: 192.0.2.2, count: 1}
    quiet: ["siteA:tun0"]
  - name: across
    ping: {from: siteA, to: 10.0.102.1, count: 2, timeout: 0.3}
    crosses: ["siteA:tun0", "siteB:tun1"]
  - name: hello
    nc: {from: siteB, to: siteA, address: 10.0.101.1, port: 8000, send: "Hello", reply: "Hello too", timeout: 0.3}
    crosses: ["siteB:tun1", "siteA:tun0"]
  - name: silence
    ping: {from: siteA, to: 10.0.102.7, count: 2, timeout: 0.1}
    expect: no-reply
    crosses: ["siteA:tun0", "siteB:tun1"]
"""


def test_a_class_from_the_first_lab_to_the_last() -> None:
    needs_root()
    with school(STUDENTS) as made:
        teacher, students = made.teacher, made.students
        before = [student.snapshot() for student in students]
        checks = teacher.file("checks.yaml", CHECKS)
        made.together("up", "two-site")
        stuck, cheat, *_ = students
        stuck.labctl("impair", "siteA:tun0", "--loss", "100%")
        cheat.labctl("exec", "siteB", "--", "ip", "addr", "add", "10.0.102.7/32", "dev", "lo")

        rows = {row["user"]: row for row in teacher.json("class", "--quick")}
        assert set(rows) == {student.name for student in students}
        for row in rows.values():
            assert row["lab"] == "two-site" and row["checks"] is None
            assert row["cost"]["processes"] >= 3 and row["cost"]["memory"] > 1 << 20

        report = teacher.file("report.xml", "")
        found = teacher.json("class", "verify", "--checks", checks, "--junit", report, code=1)
        failed = {
            row["user"]: {each["name"] for each in row["checks"]["results"] if not each["passed"]} for row in found
        }
        assert {name for name, names in failed.items() if names} == {stuck.name, cheat.name}
        assert failed[cheat.name] == {"silence"}
        assert failed[stuck.name] == {"across", "hello", "silence"}
        suites = xml.parse(report).getroot()
        assert sum(int(suite.get("failures", "0")) > 0 for suite in suites) == 2 and len(suites) == STUDENTS

        told = list(csv.DictReader(io.StringIO(teacher.labctl("class", "--checks", checks, "-f", "csv").stdout)))
        assert {row["failed"] for row in told if row["user"] == cheat.name} == {"silence"}

        assert f"{stuck.name}: lab two-site is ended" in teacher.labctl("class", "reset", stuck.name).stdout
        stuck.labctl("up", "two-site")
        assert "14 of 14 passed" in teacher.labctl("class", "verify", stuck.name).stdout

        teacher.labctl("class", "message", "five more minutes", "--user", stuck.name)
        file = teacher.inside(lambda: Path(f"/run/labctl-class/messages/{stuck.uid}").read_text())
        assert [each["text"] for each in json.loads(file)["messages"]] == ["five more minutes"]

        assert "if that is meant" in teacher.labctl("class", "down", code=2).stderr
        ended = teacher.json("class", "down", "--all")
        assert {each["user"]: each["ended"] for each in ended} == {student.name: True for student in students}
        eventually(lambda: [student.snapshot() for student in students] == before, "nothing is left of the class")


def test_a_class_ends_of_which_nobody_wants_to_read() -> None:
    needs_root()
    with school(2) as made:
        teacher = made.teacher
        made.together("up", "single-host")
        teacher.labctl("class", "message", "it is over")
        assert "/none/x cannot be written" in teacher.labctl("class", "verify", "--junit", "/none/x", code=2).stderr
        reader, writer = os.pipe()
        os.close(reader)
        teacher.labctl("class", "down", "--all", stdout=writer)
        os.close(writer)
        assert [student.json("list") for student in made.students] == [[], []]
        assert not teacher.inside(lambda: os.path.exists("/run/labctl-class"))


SHIPPED = ("bgp", "dual-stack", "nat-gateway", "single-host", "static-routing", "switched-lan", "web-dns")


def test_a_lab_that_is_as_its_file_says_passes_from_outside_too() -> None:
    """Bridges, NAT, names, two ways through one namespace: what is captured is what the lab's own counters say."""
    needs_root()
    with school(len(SHIPPED)) as made:
        for student, name in zip(made.students, SHIPPED, strict=True):
            student.labctl("up", name)
        rows = {row["lab"]: row["checks"] for row in made.teacher.json("class", "verify")}
        assert set(rows) == set(SHIPPED)
        for name, checks in rows.items():
            assert checks["passed"], (name, [each for each in checks["results"] if not each["passed"]])


def test_an_ordinary_user_is_told_that_root_is_needed() -> None:
    needs_root()
    with school(1) as made:
        for words in (("class",), ("class", "verify"), ("class", "reset", "x"), ("class", "down", "--all")):
            told = made.students[0].labctl(*words, code=3).stderr
            assert "needs root" in told and "sudo labctl class" in told
        roster = written(made.students[0], "roster.csv", "alice\n")
        assert "needs root" in made.students[0].labctl("class", "roster", str(roster), code=3).stderr
