"""Students who cheat: the teacher's side measures, and is not fooled."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.learn.classroom.cheats import EITHER, FAILS, IS_NOT_ASKED, TRACERS, traces_who_measures, tried
from tests.learn.classroom.conftest import needs_root
from tests.learn.classroom.school import Student, school
from tests.learn.classroom.test_class import CHECKS

ACROSS = {"across", "hello"}
ALL = (*FAILS, *IS_NOT_ASKED, *EITHER)

Results = dict[str, dict[str, Any]]


@contextmanager
def running(student: Student, where: str, program: str) -> Iterator[None]:
    """Run a Python program of a student in a namespace, or beside the lab, and end it."""
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    words = (sys.executable, "-c", program)
    process = student.start_labctl("exec", where, "--", *words, **pipes) if where else student.start(words, **pipes)
    with process:
        try:
            assert process.stdout is not None and process.stderr is not None
            assert process.stdout.readline() == "ready\n", process.stderr.read()
            yield
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def verdicts() -> Iterator[dict[str, Any]]:
    """What the teacher finds of an honest student and of all cheats, by the name of each; measured at one time."""
    needs_root()
    with school(1 + len(ALL)) as made, ExitStack() as stack:
        _, *cheats = made.students
        made.together("up", "two-site")
        for cheat, student in zip(ALL, cheats, strict=True):
            for where, program in cheat(student):
                stack.enter_context(running(student, where, program))
        found = made.teacher.json("class", "verify", "--checks", made.teacher.file("checks.yaml", CHECKS), code=1)
        by_user = {row["user"]: row["checks"] for row in found}
        names = dict(
            zip([student.name for student in made.students], ["honest", *(c.__name__ for c in ALL)], strict=True)
        )
        assert set(by_user) == set(names)
        verdicts = {names[user]: checks for user, checks in by_user.items()}
        verdicts |= {who: tried(cheats[ALL.index(traces_who_measures)], who) for who in TRACERS}
        yield verdicts


def of(checks: dict[str, Any]) -> Results:
    """Return the results of checks by name."""
    return {each["name"]: each for each in checks["results"]}


def test_the_honest_one_passes(verdicts: dict[str, Any]) -> None:
    assert verdicts["honest"]["passed"], verdicts["honest"]


@pytest.mark.parametrize("cheat", ALL, ids=lambda cheat: cheat.__name__)
def test_no_cheat_passes(verdicts: dict[str, Any], cheat: Any) -> None:
    checks = verdicts[cheat.__name__]
    assert not checks["passed"]
    assert not {name for name in ACROSS if (found := of(checks).get(name)) and found["passed"]}


@pytest.mark.parametrize("cheat", FAILS, ids=lambda cheat: cheat.__name__)
def test_what_is_asked_fails(verdicts: dict[str, Any], cheat: Any) -> None:
    found = of(verdicts[cheat.__name__])
    assert {name for name in ACROSS if found[name]["asked"]} == ACROSS


@pytest.mark.parametrize("cheat", IS_NOT_ASKED, ids=lambda cheat: cheat.__name__)
def test_what_cannot_be_asked_is_told_so(verdicts: dict[str, Any], cheat: Any) -> None:
    checks = verdicts[cheat.__name__]
    assert checks["why"] or {name for name, each in of(checks).items() if not each["asked"]} >= ACROSS


@pytest.mark.parametrize("cheat", ["a_link_for_a_name", "a_fifo_for_a_name"])
def test_what_is_no_namespace_is_not_entered(verdicts: dict[str, Any], cheat: str) -> None:
    hello = of(verdicts[cheat])["hello"]
    assert not hello["asked"] and hello["observed"] == "there is no namespace siteB"
    assert hello["lost"].startswith("namespace siteB: ")


def test_silence_is_not_believed_either(verdicts: dict[str, Any]) -> None:
    """Where nothing crosses there is no reply, as the file wants it; but nothing was seen to cross."""
    for cheat in ("stopped_engines", "does_nothing", "an_engine_that_answers", "another_topology"):
        assert not of(verdicts[cheat])["silence"]["passed"], cheat


def test_an_interface_of_another_kind_is_named(verdicts: dict[str, Any]) -> None:
    assert "siteA:tun0 is of kind veth, and not a tun" in of(verdicts["another_topology"])["across"]["lost"]


@pytest.mark.parametrize("who", TRACERS)
def test_whoever_measures_cannot_be_traced(verdicts: dict[str, Any], who: str) -> None:
    """Not by the student, whose number it has, nor by the root of the namespace that it is in."""
    assert {"seize", "attach", "readv", "mem", "fd", "getfd", "setns"} <= verdicts[who].keys()
    assert {name for name, result in verdicts[who].items() if result >= 0} == set()
