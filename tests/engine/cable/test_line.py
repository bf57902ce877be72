"""Two ends over a path that loses, cuts and has an MTU, with a clock that the test moves."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.engine.cable import wire
from labctl.engine.cable.line import AGAIN, BEAT, DEAD, SHRINK, Line, State

NOTICED = 2.0
"""Seconds within which both ends follow."""


class Path:
    """Two lines and what is between them; each datagram takes `delay` seconds."""

    def __init__(self, mtu: int = 1500, delay: float = 0.01, lost: frozenset[int] = frozenset()) -> None:
        self.mtu, self.delay, self.lost = [mtu, mtu], delay, lost
        self.cut = [False, False]
        self.now = 100.0
        self.lines = [Line(4, True, self.now), Line(4, True, self.now)]
        self.sent = 0
        self.largest = [0, 0]  # the size of the largest packet that arrived, by who sent it
        self._flying: list[tuple[float, int, bytes]] = []

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            for number, line in enumerate(self.lines):
                for body in line.beats(self.now):
                    self.sent += 1
                    fits = len(body) + wire.SEAL + 28 <= self.mtu[number]
                    if fits and not self.cut[number] and self.sent not in self.lost:
                        self._flying.append((self.now + self.delay, 1 - number, body))
            arrived = [each for each in self._flying if each[0] <= self.now]
            self._flying = [each for each in self._flying if each[0] > self.now]
            for _, number, body in arrived:
                self.largest[1 - number] = max(self.largest[1 - number], len(body) + wire.SEAL + 28)
                self.lines[number].heard(body, len(body) + wire.SEAL, self.now)
            self.now += 0.005

    @property
    def sizes(self) -> list[int]:
        """The path MTU that each end has found."""
        return [line.path + 28 if line.path else 0 for line in self.lines]

    @property
    def states(self) -> list[State]:
        return [line.state(self.now) for line in self.lines]


BOTH_UP = [State.UP, State.UP]


@pytest.mark.parametrize("mtu", [65535, 9000, 1500, 1492, 1420, 1280, 576])
def test_both_ends_find_each_other_and_the_size_of_the_path_at_once(mtu: int) -> None:
    path = Path(mtu)
    path.run(0.1)
    assert path.states == BOTH_UP
    assert [line.path for line in path.lines] == [min(mtu - 28, 65507)] * 2


mtus = st.integers(576, 65535)


@given(mtus, mtus)
def test_each_direction_has_exactly_the_size_that_arrives(there: int, back: int) -> None:
    path = Path()
    path.mtu = [there, back]
    path.run(0.1)
    assert path.states == BOTH_UP, "frames need not wait for the rest of the search"
    path.run(0.5)
    assert path.sizes == [there, back]
    assert not any(line.searching for line in path.lines)
    assert path.sent < 240


@given(mtus, mtus)
@settings(max_examples=20)
def test_a_path_that_changes_has_its_size_exactly(before: int, after: int) -> None:
    path = Path(before)
    path.run(3)
    path.mtu = [after, before]
    path.run(SHRINK + DEAD + 1 if after < before else AGAIN + 1)
    assert path.states == BOTH_UP
    assert path.sizes == [after, before]


@given(st.lists(mtus, min_size=1, max_size=3), st.integers(), st.floats(0, 0.6))
@settings(max_examples=20)
def test_no_line_claims_more_than_what_arrived(widths: list[int], seed: int, loss: float) -> None:
    random = Random(seed)
    path = Path(lost=frozenset(number for number in range(10_000) if random.random() < loss))
    for width in widths:
        path.mtu = [width, width]
        for _ in range(40):
            path.run(0.25)
            assert all(path.sizes[number] <= path.largest[number] for number in (0, 1))


@given(st.sets(st.integers(1, 200), max_size=60))
def test_lost_beats_make_it_late_and_not_wrong(lost: set[int]) -> None:
    path = Path(lost=frozenset(lost))
    path.run(40)  # what the search has missed, the next one finds
    assert path.states == BOTH_UP
    assert [line.path for line in path.lines] == [1472] * 2


@pytest.mark.parametrize("cut", [[True, True], [True, False], [False, True]])
def test_a_cut_is_noticed_at_both_ends(cut: list[bool]) -> None:
    path = Path()
    path.run(3)
    path.cut = cut
    path.run(NOTICED)
    assert all(state < State.PEER_DOWN for state in path.states)
    if sum(cut) == 1:
        assert path.states[cut.index(True)] is State.ONLY_IN
    path.cut = [False, False]
    path.run(BEAT + 0.1)
    assert path.states == BOTH_UP


@pytest.mark.parametrize("cut", [[True, False], [True, True]])
def test_what_is_blocked_from_the_beginning_carries_soon_after_it_is_open(cut: list[bool]) -> None:
    path = Path()
    path.cut = cut
    path.run(10)
    path.cut = [False, False]
    path.run(NOTICED)
    assert path.states == BOTH_UP
    assert [line.path for line in path.lines] == [1472] * 2


def test_an_end_that_is_paused_has_not_lost_the_other() -> None:
    path = Path()
    path.run(3)
    path.now += DEAD + 5
    path.run(BEAT)
    assert path.states == BOTH_UP


def test_a_smaller_path_is_noticed() -> None:
    path = Path()
    path.run(3)
    path.mtu = [1400, 1500]
    path.run(SHRINK + DEAD + 1)
    assert path.states == BOTH_UP
    assert [line.path for line in path.lines] == [1372, 1472]


@pytest.mark.parametrize("seed", range(8))
def test_a_path_that_loses_a_third_has_its_size_and_its_carrier(seed: int) -> None:
    """Nearly always: of 25 seconds, in which an end hears six datagrams every 1.3 s."""
    random = Random(seed)
    path = Path(lost=frozenset(number for number in range(1, 3000) if random.random() < 0.3))
    path.run(5)
    up = wide = 0
    for _ in range(100):
        path.run(0.25)
        up += path.states == BOTH_UP
        wide += [line.path for line in path.lines] == [1472] * 2
    assert up >= 95 and wide >= 80


def test_data_is_a_sign_of_life_and_of_the_size() -> None:
    path = Path()
    path.run(3)
    path.cut = [True, True]
    for _ in range(40):
        path.run(0.25)
        for line in path.lines:
            line.arrived(1472, path.now)
    assert path.states == BOTH_UP


def test_a_larger_path_is_found_later() -> None:
    path = Path()
    path.run(3)
    path.mtu = [9000, 9000]
    path.run(35)
    assert [line.path for line in path.lines] == [8972, 8972]


def test_a_path_that_takes_only_small_datagrams_says_so() -> None:
    path = Path(500)
    path.run(5)
    assert path.states == [State.TOO_SMALL] * 2


def test_a_path_that_is_wide_again_carries_soon() -> None:
    path = Path()
    path.run(3)
    path.mtu = [500, 1500]
    path.run(60)
    assert path.states == [State.TOO_SMALL, State.UP]
    path.mtu = [1500, 1500]
    path.run(NOTICED)
    assert path.states == BOTH_UP


def test_an_interface_that_is_down_is_told_at_once() -> None:
    path = Path()
    path.run(3)
    path.lines[0].link_is(False, path.now)
    path.run(0.05)
    assert path.states == [State.UP, State.PEER_DOWN]
    path.lines[0].link_is(True, path.now)
    path.run(0.05)
    assert path.states == BOTH_UP


def test_a_line_at_rest_says_little() -> None:
    path = Path()
    path.run(3)
    before = path.sent
    path.run(10)
    assert path.sent - before <= 2 * 2 * (10 / BEAT + 2)


def test_the_round_trip_is_that_of_the_path() -> None:
    path = Path(delay=0.05)
    path.run(3)
    assert all(95_000 < line.rtt < 115_000 for line in path.lines)


@given(st.binary(max_size=60))
def test_any_body_is_a_beat_or_is_refused(body: bytes) -> None:
    line = Line(4, True, 0.0)
    try:
        line.heard(body, len(body) + wire.SEAL, 1.0)
    except ValueError:
        assert line.state(1.0) is State.NOTHING_IN
    list(line.beats(1.0))
    assert line.path <= 65507
