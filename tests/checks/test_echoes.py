"""What bounds of a ping check conclude from its replies, and in which words."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.checks import echoes
from labctl.checks.bounds import milliseconds, per_second, percent, told
from labctl.checks.confidence import SURE, Limits
from labctl.checks.echoes import Echoes
from labctl.checks.results import Carried
from labctl.topology.model import Ping


def ping(**keys: object) -> Ping:
    return Ping.read({"from": "siteA", "to": "10.0.102.1", **keys})


def seen(sent: int, *times: float) -> Echoes:
    return Echoes(sent, [(each, each) for each in times])


AT_MOST = ping(loss={"at_most": "5%"})
MEDIAN = ping(rtt={"at_most": "20ms"})


def test_without_bounds_every_request_has_its_reply() -> None:
    assert echoes.outcome(ping(), seen(3, 0.1, 0.1, 0.1)).state == "answered"
    assert echoes.outcome(ping(), seen(3, 0.1, 0.1)).state == "differs"
    assert echoes.outcome(ping(), seen(3)).state == "silent"


@pytest.mark.parametrize(
    ("lost", "sent", "state"),
    [(0, 160, "undecided"), (0, 320, "answered"), (30, 160, "differs"), (20, 20, "silent"), (16, 320, "undecided")],
)
def test_a_loss_is_decided_by_as_many_requests_as_it_takes(lost: int, sent: int, state: str) -> None:
    assert echoes.outcome(AT_MOST, seen(sent, *[0.1] * (sent - lost))).state == state


def test_a_verdict_says_how_sure_it_is() -> None:
    found = echoes.outcome(AT_MOST, seen(640, *[0.01] * 638))
    assert found.words == "2 of 640 lost (at most 2.86%); 99.9% sure"
    assert found.carried == Carried(638, 640)
    found = echoes.outcome(AT_MOST, seen(160, *[0.01] * 130))
    assert found.words == "30 of 160 lost (7.96% to 34.3%); 99.9% sure"
    open_ = echoes.outcome(AT_MOST, seen(20, *[0.01] * 20))
    assert open_.words == "not decided by 20 requests: 0 of 20 lost (at most 39.3%); 99.9% sure"


def test_a_lossy_path_has_to_carry_something() -> None:
    assert echoes.outcome(ping(loss={"at_least": "50%"}), seen(320)).state == "silent"


@pytest.mark.parametrize(
    ("times", "state"),
    [([0.01] * 13, "undecided"), ([0.01] * 14, "answered"), ([0.03] * 14, "differs"), ([0.01, 0.03] * 50, "undecided")],
)
def test_a_median_is_decided_by_as_many_replies_as_it_takes(times: list[float], state: str) -> None:
    assert echoes.outcome(MEDIAN, seen(len(times), *times)).state == state


def test_without_loss_a_time_needs_every_reply() -> None:
    assert echoes.outcome(MEDIAN, seen(40, *[0.01] * 39)).state == "differs"
    assert echoes.outcome(ping(rtt={"at_most": "20ms"}, loss={"at_most": "50%"}), seen(40, *[0.01] * 39)).state == (
        "answered"
    )


def test_a_time_that_may_be_the_machines_fails_nothing() -> None:
    late = Echoes(40, [(0.01, 0.03)] * 40)
    assert echoes.outcome(MEDIAN, late).state == "undecided"
    assert echoes.outcome(ping(rtt={"at_least": "20ms"}), late).state == "undecided"
    assert echoes.outcome(ping(rtt={"at_least": "40ms"}), late).state == "differs"


def test_a_percentile_is_that_of_the_replies() -> None:
    times = [0.001] * 635 + [0.5] * 5
    asked = ping(rtt={"percentile": 95, "at_most": "20ms"})
    assert echoes.outcome(asked, seen(640, *times)).state == "answered"
    assert echoes.outcome(ping(rtt={"percentile": 99, "at_most": "20ms"}), seen(640, *times)).state == "undecided"
    assert "rtt p95 1 ms" in echoes.outcome(asked, seen(640, *times)).words


def test_requests_go_in_growing_batches_up_to_their_count() -> None:
    assert [len(each) for each in echoes.batches(AT_MOST)] == [20, 20, 40, 80, 160, 320, 360]
    assert [*echoes.batches(ping(count=7))] == [range(7)]


@given(st.integers(1, 10_000))
def test_batches_are_every_request_once(count: int) -> None:
    asked = ping(count=count, loss={"at_most": "5%"})
    assert [number for batch in echoes.batches(asked) for number in batch] == [*range(count)]


@pytest.mark.parametrize(("loss", "wrong"), [(0.07, "answered"), (0.03, "differs")])
def test_a_whole_check_is_wrong_no_more_often_than_it_says(loss: float, wrong: str) -> None:
    """Four hundred checks of a path that loses more, or less, than its bound. Seeded: it is the same each time."""
    chance, runs, errors = random.Random(1), 400, 0
    for _ in range(runs):
        found = Echoes()
        for batch in echoes.batches(AT_MOST):
            found.sent += len(batch)
            found.times += [(0.01, 0.01) for _ in batch if chance.random() >= loss]
            if echoes.answer(AT_MOST, found) != "open":
                break
        errors += echoes.outcome(AT_MOST, found).state == wrong
    assert errors <= max(1, runs * (1 - SURE))


def test_what_is_expected_has_the_words_of_the_file() -> None:
    asked = ping(loss={"at_least": "1%", "at_most": "5%"}, rtt={"percentile": 95, "at_most": "20ms"})
    assert echoes.expectation(asked) == "loss at least 1% and at most 5%, rtt p95 at most 20ms"
    assert echoes.expectation(MEDIAN) == "every reply, rtt median at most 20ms"


@given(st.floats(1e-3, 1), st.sampled_from([percent, milliseconds]))
def test_limits_are_rounded_outwards(number: float, form: object) -> None:
    assert callable(form)
    down, up = (float(form(number, way).rstrip("% ms")) for way in (-1, 1))
    scaled = number * (100 if form is percent else 1000)
    assert down <= scaled * (1 + 1e-8) and scaled <= up * (1 + 1e-8)
    assert up - down <= max(scaled / 50, 0.02)


def test_numbers_have_the_units_of_ping_and_iperf() -> None:
    assert (percent(0.05), percent(1.0), percent(0.0)) == ("5%", "100%", "0%")
    assert (milliseconds(0.0204, 1), milliseconds(1.2345, -1)) == ("20.4 ms", "1230 ms")
    assert (per_second(9.62e6), per_second(2.5e9), per_second(12.0)) == ("9.62 Mbit/s", "2.5 Gbit/s", "12 bit/s")
    assert told("x", Limits(0, 0.5), percent) == "x (at most 50%)"
    assert told("x", Limits(0.25, 0.5), percent) == "x (25% to 50%)"
    assert told("x", Limits(0.25, float("inf")), milliseconds) == "x (at least 250 ms)"
    assert told("x", Limits(-float("inf"), float("inf")), milliseconds) == "x (without limits yet)"
