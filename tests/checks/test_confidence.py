"""Confidence limits against slow oracles: exact fractions, and the exact rate of wrong verdicts over all outcomes."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.checks.bounds import Answer, compared, together
from labctl.checks.confidence import SURE, Limits, chance, given_up, quantile
from labctl.topology.model import Bounds

WRONG = 1 - Fraction(str(SURE))
TRIALS = st.integers(1, 300)


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    trials = draw(TRIALS)
    return draw(st.integers(0, trials)), trials


def exactly_given_up(p: Fraction, times: int, trials: int) -> bool:
    return math.comb(trials, times) * p**times * (1 - p) ** (trials - times) <= WRONG / (trials + 1)


@settings(deadline=None)
@given(counts(), st.fractions(0, 1, max_denominator=1000))
def test_a_chance_is_given_up_as_exact_arithmetic_does(seen: tuple[int, int], p: Fraction) -> None:
    assert given_up(float(p), *seen) == exactly_given_up(p, *seen)


@settings(deadline=None)
@given(counts())
def test_the_limits_are_where_exact_arithmetic_begins_to_give_up(seen: tuple[int, int]) -> None:
    found, near = chance(*seen), Fraction(1, 10**9)
    low, high = Fraction(found.low), Fraction(found.high)
    assert seen[0] / seen[1] in found
    if seen[0]:
        assert exactly_given_up(max(low - near, Fraction(0)), *seen) and not exactly_given_up(low + near, *seen)
    else:
        assert low == 0
    if seen[0] < seen[1]:
        assert exactly_given_up(min(high + near, Fraction(1)), *seen) and not exactly_given_up(high - near, *seen)
    else:
        assert high == 1


@settings(deadline=None)
@given(counts(), st.data())
def test_what_is_not_told_of_a_trial_may_be_either(seen: tuple[int, int], data: st.DataObject) -> None:
    times, trials = seen
    untold = data.draw(st.integers(0, trials - times))
    whole = chance(times, trials, untold)
    for told in {0, untold // 2, untold}:
        found = chance(times + told, trials)
        assert whole.low <= found.low and found.high <= whole.high


def test_without_trials_nothing_is_known() -> None:
    assert chance(0, 0) == Limits(0, 1)
    assert quantile(0.5, [], []) == Limits(-math.inf, math.inf)


def ever(p: float, trials: int, wrong: Callable[[int, int], bool]) -> float:
    """The chance that some number of trials up to `trials`, looked at one after the other, is `wrong`."""
    still, found = {0: 1.0}, 0.0
    for number in range(1, trials + 1):
        after: dict[int, float] = {}
        for times, probability in still.items():
            after[times] = after.get(times, 0.0) + probability * (1 - p)
            after[times + 1] = after.get(times + 1, 0.0) + probability * p
        found += sum(probability for times, probability in after.items() if wrong(times, number))
        still = {times: probability for times, probability in after.items() if not wrong(times, number)}
    return found


@pytest.mark.parametrize("p", [0.001, 0.01, 0.05, 0.2, 0.5, 0.9])
def test_the_true_chance_is_never_given_up_more_often_than_is_said(p: float) -> None:
    """Every outcome of 400 trials with its probability, looked at after each: the chance of ever being wrong."""
    assert ever(p, 400, lambda times, trials: given_up(p, times, trials)) <= 1 - SURE


@pytest.mark.parametrize(("p", "bound"), [(0.05, 0.05), (0.051, 0.05), (0.1, 0.05), (0.02, 0.05), (0.049, 0.05)])
def test_who_tries_until_it_suits_is_not_wrong_more_often(p: float, bound: float) -> None:
    def wrong(times: int, trials: int) -> bool:
        if trials % 20:
            return False
        return compared(chance(times, trials), Bounds(None, bound)) == ("holds" if p > bound else "fails")

    assert ever(p, 200, wrong) <= 1 - SURE


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 20), max_size=60), st.sampled_from([0.05, 0.5, 0.9, 0.99]))
def test_the_limits_of_a_quantile_are_the_values_whose_ranks_fit(values: list[int], fraction: float) -> None:
    found = quantile(fraction, values, values)
    for value in range(-1, 22):  # the quantile is `value` or less with a chance that the number of such fits to
        fits = chance(sum(each <= value for each in values), len(values))
        if value < found.low:
            assert fits.high < fraction
        if value >= found.high:
            assert fits.low > fraction
    assert found.low in (*values, -math.inf) and found.high in (*values, math.inf)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), max_size=40))
def test_a_value_that_is_known_to_be_in_an_interval_widens_the_limits(values: list[tuple[float, float]]) -> None:
    least, most = [low for low, _ in values], [low + more for low, more in values]
    found = quantile(0.5, least, most)
    assert found.low == quantile(0.5, least, least).low
    assert found.high == quantile(0.5, most, most).high


def test_fourteen_values_on_one_side_tell_where_a_median_is() -> None:
    times = [0.01 + number / 1000 for number in range(14)]
    assert quantile(0.5, times, times) == Limits(0.01, 0.023)
    assert quantile(0.5, times[1:], times[1:]) == Limits(-math.inf, math.inf)


@pytest.mark.parametrize(
    ("found", "at_least", "at_most", "answer"),
    [
        (Limits(0.1, 0.2), None, 0.2, "holds"),
        (Limits(0.1, 0.2), None, 0.15, "open"),
        (Limits(0.1, 0.2), None, 0.05, "fails"),
        (Limits(0.1, 0.2), 0.1, None, "holds"),
        (Limits(0.1, 0.2), 0.15, 0.3, "open"),
        (Limits(0.1, 0.2), 0.25, 0.3, "fails"),
        (Limits(0.1, 0.2), 0.05, 0.3, "holds"),
        (Limits(-math.inf, math.inf), 0.05, None, "open"),
    ],
)
def test_a_number_is_compared_by_its_limits(
    found: Limits, at_least: float | None, at_most: float | None, answer: Answer
) -> None:
    assert compared(found, Bounds(at_least, at_most)) == answer


@pytest.mark.parametrize(
    ("answers", "answer"),
    [(["holds", "holds"], "holds"), (["holds", "open"], "open"), (["open", "fails"], "fails"), ([], "holds")],
)
def test_several_bounds_hold_together(answers: list[Answer], answer: Answer) -> None:
    assert together(answers) == answer
