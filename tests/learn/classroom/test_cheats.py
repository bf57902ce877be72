"""Students who cheat: the teacher's side measures, and is not fooled."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

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


@contextmanager
def cheating() -> Iterator[dict[str, dict[str, Any]]]:
    """Yield what the teacher finds of an honest student and of all cheats, by the name of each; measured at one time.

    Of one who traces whoever measures it has what came of that, too.
    """
    with school(1 + len(ALL)) as made, ExitStack() as stack:
        _, *cheats = made.students
        made.together("up", "two-site")
        for cheat, student in zip(ALL, cheats, strict=True):
            for where, program in cheat(student):
                stack.enter_context(running(student, where, program))
        found = made.teacher.json("class", "verify", "--checks", made.teacher.file("checks.yaml", CHECKS), code=1)
        by_user = {row["user"]: row["checks"] for row in found}
        names = dict(zip((each.name for each in made.students), ("honest", *(c.__name__ for c in ALL)), strict=True))
        assert set(by_user) == set(names)
        tracer = cheats[ALL.index(traces_who_measures)]
        yield {names[user]: checks for user, checks in by_user.items()} | {who: tried(tracer, who) for who in TRACERS}


def of(checks: dict[str, Any]) -> Results:
    """Return the results of checks by name."""
    return {each["name"]: each for each in checks["results"]}


def test_no_cheat_passes() -> None:
    """One test for all of them: they are measured together, and a class of sixteen is made once."""
    needs_root()
    with cheating() as found:
        assert found["honest"]["passed"], found["honest"]
        for cheat in ALL:
            checks = found[cheat.__name__]
            assert not checks["passed"], cheat
            assert {name for name, each in of(checks).items() if each["passed"]} & ACROSS == set(), cheat
        for cheat in FAILS:
            results = of(found[cheat.__name__])
            assert {name for name in ACROSS if results[name]["asked"]} == ACROSS, cheat
        for cheat in IS_NOT_ASKED:
            checks = found[cheat.__name__]
            assert checks["why"] or {name for name, each in of(checks).items() if not each["asked"]} >= ACROSS, cheat
        only_words_for_names(found)
        silence_is_not_enough(found)
        whoever_measures_is_not_traced(found)


def only_words_for_names(found: dict[str, dict[str, Any]]) -> None:
    """What is no namespace is not entered, and what is of another kind is named."""
    for cheat in ("a_link_for_a_name", "a_fifo_for_a_name"):
        hello = of(found[cheat])["hello"]
        assert not hello["asked"] and hello["observed"] == "there is no namespace siteB"
        assert hello["lost"].startswith("namespace siteB: ")
    other = of(found["another_topology"])
    assert not any(each["passed"] for each in other.values())  # not even that nothing crosses what is not there
    assert all("siteA:tun0 is of kind veth, and not a tun" in each["lost"] for each in other.values())


def silence_is_not_enough(found: dict[str, dict[str, Any]]) -> None:
    """Where nothing crosses there is no reply, as the file wants it; but nothing was seen to cross."""
    for cheat in ("stopped_engines", "does_nothing", "an_engine_that_answers", "another_topology"):
        assert not of(found[cheat])["silence"]["passed"], cheat


def whoever_measures_is_not_traced(found: dict[str, dict[str, Any]]) -> None:
    """Not by the student, whose number it has, nor by the root of the namespace that it is in."""
    for who in TRACERS:
        assert {"seize", "attach", "readv", "mem", "fd", "getfd", "setns"} <= found[who].keys()
        assert {name for name, result in found[who].items() if result >= 0} == set(), who
