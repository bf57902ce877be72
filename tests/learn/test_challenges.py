"""What is told of a challenge: symptoms in a user's words, a place to look at for every reason, how long it took."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest

from labctl.diagnosis.reasons import Reason
from labctl.lab.challenge import Challenge
from labctl.learn.challenges import hints
from labctl.learn.challenges.choice import choose
from labctl.learn.challenges.symptoms import complaint, praise, what_works
from labctl.learn.faults.fault import LEVELS
from labctl.learn.faults.layout import Layout
from labctl.live import events, readings
from labctl.live.advance import advance
from labctl.live.state import LabState
from labctl.report.challenge import solved, span
from labctl.report.watch.sections import Shown, heading
from labctl.topology.model import Topology

LAYOUT = Layout(Topology.load("two-site"))
CHALLENGE = Challenge("two-site", 7, 2, time.time())


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("level", LEVELS)
def test_a_symptom_says_who_wants_what_and_nothing_of_its_cause(seed: int, level: int) -> None:
    checks = {check.name: check for check in LAYOUT.topology.checks}
    for one in choose(LAYOUT, seed, LEVELS[level - 1]):
        check = checks[one.injected.check]
        told = complaint(check, random.Random(seed))
        assert told.startswith(next(iter(check.probe.namespaces.values()))) and told.endswith(".")
        assert str(check.ping.to if check.ping else check.nc.address if check.nc else "") in told


def test_what_is_meant_to_fail_is_no_news() -> None:
    for check in LAYOUT.topology.checks:
        assert bool(praise(check)) == (check.expect is None)


@pytest.mark.parametrize("name", ["two-site", "static-routing", "web-dns"])
def test_that_a_site_reaches_its_own_address_is_no_news(name: str) -> None:
    topology = Topology.load(name)
    own = {
        f"{space} reaches {prefix.ip}"
        for space, found in topology.namespaces.items()
        for interface in found.interfaces.values()
        for prefix in interface.addresses
    }
    works = what_works(Layout(topology), ())
    assert works and not own & set(works) and len(set(works)) == len(works)
    assert works[0] not in what_works(Layout(topology), [check.name for check in topology.checks])


def test_there_is_something_to_look_at_for_every_reason() -> None:
    known = [reason for reasons in hints._LOOKS.values() for reason in reasons]
    assert set(Reason) - set(known) == {Reason.UNKNOWN, Reason.NOT_STARTED}
    assert len(known) == len(set(known))


def test_the_time_that_it_took_is_told_as_a_person_says_it() -> None:
    assert [span(seconds) for seconds in (0.4, 59, 61, 425, 3600, 3905)] == [
        *("0 s", "59 s", "1 min", "7 min", "1 h 0 min", "1 h 5 min")
    ]
    over = replace(CHALLENGE, solved=CHALLENGE.began + 425)
    assert solved(over) == "solved in 7 min without a hint"
    assert solved(replace(over, hints=("a",))) == "solved in 7 min with 1 hint"
    assert solved(replace(over, hints=("a", "a"), revealed=True)) == (
        "solved in 7 min with 2 hints, after the answer was shown"
    )


def test_a_view_says_that_a_challenge_runs_and_never_that_the_lab_is_as_its_file_says() -> None:
    drift = (readings.Difference("siteA", "route", "is missing", "ip route add"),)
    state = LabState("two-site", phase="up", mode="root")
    state, happened = advance(state, 1.0, readings.Compared((), 5.0))
    assert happened == (events.ChallengeEvent("runs", 5.0),) and state.challenge == 5.0
    assert "a challenge runs" in heading(state, Shown(), "two-site").plain
    state, happened = advance(state, 2.0, readings.Compared((), 5.0))
    assert happened == ()
    state, happened = advance(state, 3.0, readings.Compared(drift))
    assert happened == (events.ChallengeEvent("ended", 5.0),) and state.drift == drift
    assert "a challenge runs" not in heading(state, Shown(), "two-site").plain
