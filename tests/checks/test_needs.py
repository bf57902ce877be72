"""What needs a check that has not passed is not asked: one cause is told once."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from labctl.checks.needs import in_order
from labctl.topology.model import Check
from tests.checks.test_judge import LAB, Tools, run_all


def check(name: str, *needs: str) -> Check:
    return Check.read({"name": name, "ping": {"from": "siteA", "to": "10.0.102.1"}, "needs": needs})


@given(st.integers(1, 12).flatmap(lambda size: st.tuples(st.just(size), st.permutations(range(size)), st.data())))
def test_each_comes_once_and_after_what_it_needs(drawn: Any) -> None:
    size, order, data = drawn
    needs = {n: data.draw(st.sets(st.integers(0, n - 1))) if n else set() for n in range(size)}
    checks = [check(f"c{n}", *(f"c{other}" for other in sorted(needs[n]))) for n in order]
    found = in_order(checks, checks)
    assert sorted(one.name for one in found) == sorted(one.name for one in checks)
    places = {one.name: place for place, one in enumerate(found)}
    assert all(places[name] < places[one.name] for one in found for name in one.needs)
    if not any(needs.values()):
        assert found == checks


def test_one_that_is_chosen_brings_along_what_it_needs() -> None:
    one, two, three, four = check("one"), check("two", "one"), check("three", "two"), check("four")
    assert in_order([three], [four, three, two, one]) == [one, two, three]
    assert in_order([three, one], [one, two, three, four]) == [one, two, three]


def test_what_needs_one_that_failed_is_not_asked_and_says_so() -> None:
    lab = LAB % ", ".join(
        f"{{name: {name}, ping: {{from: siteA, to: 10.0.102.1}}, needs: {needs}}}"
        for name, needs in (("last", "[next, fine]"), ("next", "[base]"), ("base", "[]"), ("fine", "[]"))
    )
    found = {result.name: result for result in run_all(lab, Tools("silent", "answered"))}
    assert [*found] == ["base", "next", "fine", "last"]
    assert [result.passed for result in found.values()] == [False, False, True, False]
    assert [result.asked for result in found.values()] == [True, False, True, False]
    assert found["next"].lacks == ("base",) and found["next"].observed == "it needs base, which failed"
    assert found["last"].lacks == ("next",) and found["last"].observed == "it needs next, which was not asked"
