"""Which check is asked next."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.live.turns import Asked, next_check

seconds = st.floats(0.1, 5)


def rounds(took: dict[str, float], changed: float, until: float) -> list[str]:
    """The checks that are asked from a moment on, each of which takes its time."""
    known = {name: Asked(name, 0.0, lasted) for name, lasted in took.items()}
    now, order = changed, []
    while now < until:
        turn = next_check(known.values(), changed)
        name = turn.name
        now = max(now, turn.due(changed)) + took[name]
        known[name] = Asked(name, now, took[name])
        order.append(name)
    return order


@given(st.lists(seconds, min_size=1, max_size=12))
def test_after_a_change_each_is_asked_once_the_quickest_first(lasting: list[float]) -> None:
    took = {str(number): lasted for number, lasted in enumerate(lasting)}
    order = rounds(took, changed=100, until=100 + sum(lasting) - min(lasting) / 2)
    assert sorted(order) == sorted(took)
    assert [took[name] for name in order] == sorted(lasting)


@settings(deadline=None)
@given(st.lists(seconds, min_size=1, max_size=6))
def test_none_is_forgotten(lasting: list[float]) -> None:
    took = {str(number): lasted for number, lasted in enumerate(lasting)}
    order = rounds(took, changed=100, until=100 + 12 * sum(lasting))
    assert {*order[len(took) :]} >= {*took} or len(took) == 1


def test_one_that_waits_for_a_time_out_is_asked_less_often() -> None:
    order = rounds({"answered": 0.1, "silent": 2.0}, changed=100, until=200)
    assert order.count("answered") > 10 * order.count("silent") > 0


def test_one_that_was_never_asked_comes_first() -> None:
    assert next_check([Asked("old", 1.0, 0.1), Asked("new")], changed=0.5).name == "new"


def test_what_a_change_concerns_comes_before_what_is_quicker() -> None:
    known = [Asked("quick", 1, 0.1), Asked("slow", 1, 3.0), Asked("asked", 7, 0.1)]
    assert next_check(known, changed=5, concerned={"slow", "asked"}).name == "slow"
    assert next_check(known, changed=5).name == "quick"
