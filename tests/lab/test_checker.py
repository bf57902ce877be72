"""How a check is asked while a lab is watched: briskly first, and as it is written where that fails."""

from __future__ import annotations

from dataclasses import replace

from labctl.checks.brisk import brisk
from labctl.checks.results import Evidence, Result
from labctl.lab.live import checker
from labctl.live.turns import Asked
from labctl.topology.model import Check

PING = Check.read({"name": "p", "ping": {"from": "a", "to": "10.0.0.1"}, "wait": 5, "crosses": ["b:tun0"]})
NC = Check.read({"name": "n", "nc": {"from": "a", "to": "c", "address": "10.0.0.1", "port": 80}})
PASSED = Result("p", "", True, True, "answered", "", "1 sent, 1 reply", (), "")
SILENT = replace(PASSED, passed=False, outcome="silent", observed="1 sent, no reply")
REFUSED = replace(SILENT, outcome="not-sent")
NEW = checker.Known(Asked("p"))


def after(known: checker.Known, *results: Result) -> tuple[checker.Known, list[bool]]:
    """What is known after some results, and which of them are told."""
    told = []
    for result in results:
        known = checker._learned(known, result, 10, 0.1)
        told.append(checker._is_telling(result, known))
    return known, told


def test_a_brisk_check_asks_once_and_waits_no_longer_than_it_is_told_or_written() -> None:
    asked = brisk(PING, 0.2)
    assert asked.ping is not None and vars(asked.ping) == {
        **(vars(PING.ping) if PING.ping else {}), "count": 1, "timeout": 0.2, "interval": 0.01,
    }  # fmt: skip
    assert (asked.wait, asked.crosses, asked.name) == (0, PING.crosses, "p")
    assert NC.nc is not None and brisk(NC, 99) == NC
    assert (brisk_nc := brisk(NC, 0.2).nc) is not None and brisk_nc.timeout == 0.2


def test_silence_is_told_at_once_only_where_there_was_an_answer_before() -> None:
    known, told = after(NEW, SILENT)
    assert told == [False] and known.as_written
    known, told = after(known, SILENT)
    assert told == [True] and known.confirmed and not known.as_written
    assert after(NEW, PASSED, SILENT)[1] == [True, True]
    assert after(NEW, REFUSED)[1] == [True]


def test_what_failed_is_asked_as_it_is_written_and_then_briskly() -> None:
    known, _ = after(NEW, PASSED, SILENT)
    assert known.as_written and known.asked.due(changed=0) == 10  # at once
    known, _ = after(known, SILENT)
    assert not known.as_written and known.asked.due(changed=0) > 10
    known, told = after(known, SILENT, PASSED)
    assert told == [True, True] and known.passed and not known.confirmed


def test_a_verdict_says_what_was_counted_where_that_is_what_failed() -> None:
    counted = (Evidence("a:tun0", "tx", "1", 1, True), Evidence("b:tun0", "read", "1", 0, False))
    told = checker.verdict_of(replace(SILENT, evidence=counted))
    assert told.observed == "1 sent, no reply; b:tun0 (read) counted 0, not 1"
    assert (told.verdict, told.why) == ("failed", "")
    assert checker.verdict_of(replace(SILENT, asked=False)).verdict == "not-asked"


def test_a_check_concerns_the_namespaces_that_it_names() -> None:
    assert set(checker._namespaces(PING)) == {"a", "b"}
    assert set(checker._namespaces(NC)) == {"a", "c"}


def test_the_first_that_fails_is_explained_before_others_are_asked() -> None:
    well, bad = after(NEW, PASSED)[0], after(NEW, PASSED, SILENT)[0]
    assert checker._unexplained({"a": well, "b": bad, "c": bad}) == "b"
    assert checker._unexplained({"a": well}) is None
    assert checker._unexplained({"a": after(bad, SILENT)[0], "b": bad}) is None


def test_other_traffic_is_told_from_packets_that_are_missing() -> None:
    assert Evidence("a:tun0", "tx", "3", 4, False).too_many
    assert not Evidence("a:tun0", "tx", "3", 2, False).too_many
    assert not Evidence("a:wan0", "tx", "at least 3", 2, False).too_many
    assert not Evidence("a:wan0", "tx", "at least 3", 9, True).too_many
