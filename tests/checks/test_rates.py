"""What intervals of a flow say of its rate: on an idle machine, on a busy one, and while it still grows."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.checks import programs
from labctl.checks.confidence import SURE
from labctl.checks.kinds.throughput import ThroughputKind, concluded, from_its_rate
from labctl.checks.rates import Interval, at_its_rate, hindered, median
from labctl.checks.results import Carried
from labctl.topology.model import Nc, Throughput


def asked(**keys: object) -> Throughput:
    return Throughput.read({"from": "a", "to": "b", "address": "10.0.0.1", **keys})


def intervals(*megabits: float, might: float = 1.0) -> list[Interval]:
    return [Interval(0.1, round(each * 1e5 / 8), might) for each in megabits]


TEN = asked(at_least="9mbit", at_most="11mbit")


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (intervals(*[10] * 20), "answered"),
        (intervals(*[8] * 20), "differs"),
        (intervals(*[12] * 20), "differs"),
        (intervals(*[10] * 13), "undecided"),
        (intervals(*[8, 10] * 20), "undecided"),
        (intervals(*[10] * 38, 0, 20), "answered"),
        (intervals(*[8] * 20, might=2), "undecided"),
        (intervals(*[8] * 20, might=1.1), "differs"),
        (intervals(*[12] * 20, might=9), "differs"),
        (intervals(*[10] * 30, might=1.05), "answered"),
        ([*intervals(*[10] * 36), *intervals(*[5] * 4, might=9)], "answered"),
        (intervals(*[0] * 20, might=math.inf), "undecided"),
    ],
)
def test_a_rate_is_compared_by_what_is_sure_of_it(found: list[Interval], state: str) -> None:
    assert concluded(TEN, found, 10**6, None).state == state


def test_a_verdict_says_how_sure_it_is() -> None:
    assert (
        concluded(TEN, intervals(*[10] * 20), 10**6, None).words
        == "10 Mbit/s (10 Mbit/s to 10 Mbit/s) in 2.0 s; 99.9% sure"
    )
    assert concluded(TEN, intervals(*[8] * 20, might=2), 10**6, None).words == (
        "not decided, the machine was too busy: 8 Mbit/s (8 Mbit/s to 16 Mbit/s) in 2.0 s; 99.9% sure"
    )
    udp = concluded(asked(protocol="udp", at_most="11mbit"), intervals(*[10] * 20), 2_376_000, 2_400_000)
    assert udp.words == "10 Mbit/s (10 Mbit/s to 10 Mbit/s) in 2.0 s, 1% lost; 99.9% sure"
    assert udp.carried == Carried(1980, 2000)


def test_where_nothing_arrives_there_is_no_rate() -> None:
    assert concluded(asked(at_most="11mbit"), intervals(*[0] * 20), 0, None).state == "silent"


def test_slow_start_is_not_counted() -> None:
    growing = intervals(1, 2, 4, 8, 9, 9, 9, 9, 9)
    assert [at_its_rate(growing[:number]) for number in range(len(growing))] == [False] * 7 + [True] * 2
    assert from_its_rate(growing) == growing[7:]


def test_what_never_settles_is_counted_after_a_while() -> None:
    doubling = [Interval(0.1, 2**number) for number in range(30)]
    assert from_its_rate(doubling) == doubling[20:]


@pytest.mark.parametrize(
    ("spent", "factor"),
    [
        ([], 1),
        ([(0.1, 0.0)], 1),  # it ran all the time: it is as fast as it can be
        ([(0.05, 0.05)], 2),  # it never slept, and had the CPU for half the time
        ([(0.01, 0.02)], 1),  # it slept: others kept it waiting
        ([(0.01, 0.02), (0.02, 0.075)], 4),
        ([(0.0, 0.1)], math.inf),
    ],
)
def test_a_process_that_waits_for_a_cpu_makes_a_rate_uncertain(spent: list[tuple[float, float]], factor: float) -> None:
    assert hindered(0.1, spent) == pytest.approx(factor)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60), st.floats(1, 10))
def test_a_hindrance_only_makes_less_sure(received: list[int], might: float) -> None:
    plain = median([Interval(0.1, each) for each in received])
    wide = median([Interval(0.1, each, might) for each in received])
    assert wide.low == plain.low
    assert wide.high >= plain.high


def test_a_whole_measurement_is_wrong_no_more_often_than_it_says() -> None:
    """A link of 10 Mbit/s whose intervals vary by a tenth, against bounds just beside it. Seeded."""
    chance, runs, wrong = random.Random(2), 250, 0
    for bounds, bad in (({"at_least": "9.9mbit"}, "differs"), ({"at_least": "10.1mbit"}, "answered")):
        for _ in range(runs):
            found = intervals(*(chance.gauss(10, 1) for _ in range(40)))
            wrong += concluded(asked(**bounds), found, 10**6, None).state == bad
    assert wrong <= max(1, 2 * 2 * runs * (1 - SURE))


def test_the_intervals_of_iperf3_are_read() -> None:
    said = '{"intervals": [{"sum": {"seconds": 0.1, "bytes": 125000}}, {"sum": {"seconds": 0, "bytes": 1}}]}'
    assert programs.iperf3_intervals(said) == [(0.1, 125_000)]
    assert programs.iperf3_intervals("") is None
    assert programs.iperf3_intervals('{"error": "x"}') is None
    assert programs.iperf3_words("iperf 3.12 (cJSON 1.7.15)\nLinux") is not None
    assert programs.iperf3_words("iperf version 2.1.8") is None


def test_what_a_person_types_is_iperf3() -> None:
    assert ThroughputKind(asked(at_least="50Mbit/s", seconds=0.5)).typed() == (
        "labctl exec b -- iperf3 -s -1 -B 10.0.0.1 -p 5201 & labctl exec a -- iperf3 -c 10.0.0.1 -p 5201 -t 1"
    )
    assert ThroughputKind(asked(at_least="50mbit", protocol="udp")).typed().endswith("-t 2 -u -l 1200 -b 75000000")


def test_a_live_view_asks_only_whether_data_gets_through() -> None:
    brief = ThroughputKind(asked(at_least="50mbit", port=9)).briefly(0.2, 1)
    assert isinstance(brief, Nc)
    assert (brief.from_, brief.to, str(brief.address), brief.port, brief.timeout) == ("a", "b", "10.0.0.1", 9, 0.2)
