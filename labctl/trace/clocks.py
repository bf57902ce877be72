"""The clocks of hosts: by how much each is ahead of ours, and how sure that is.

A round trip bounds that: a host tells its time after it was asked, and before the answer is here (Cristian, 1989).
Packets bound it between two hosts: each leaves the one before it arrives at the other. Every bound says that one clock
is ahead of another by no more than so much. Of such bounds the tightest that follow from all are the shortest ways of a
graph (Floyd, 1962), and they contradict one another where a way back to its start is shorter than none.

Clocks are taken to run alike while packets are looked at. Where the bounds contradict that, a clock was set meanwhile:
then packets bound nothing, and what the round trips say is taken as it is, from the least to the most.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import NamedTuple

from labctl.frozen import frozen

HERE = ""
"""This machine, whose clock the times of all hosts are brought to."""

_UNKNOWN = 1 << 80  # nanoseconds: more than any two clocks differ by


class Reading(NamedTuple):
    """A round trip: when a host was asked for its time, that time, and when the answer was here, in nanoseconds."""

    asked: int
    told: int
    heard: int


class Crossing(NamedTuple):
    """A packet that left a host and arrived at another: the time of each, by its own clock, in nanoseconds."""

    sender: str
    left: int
    receiver: str
    arrived: int


_Bounds = dict[tuple[str, str], int]
"""By how much the clock of the second is ahead of that of the first, at most."""


@frozen
class Clocks:
    """The clocks of hosts, as one choice of all that the bounds allow."""

    ahead: Mapping[str, int]  # each of the clock of this machine, in nanoseconds
    bounds: Mapping[tuple[str, str], int]
    alike: bool = True  # whether they ran alike, as far as could be seen

    def here(self, host: str, at: int) -> int:
        """Return what the clock of this machine showed when that of a host showed this."""
        return at - self.ahead[host]

    def earliest(self, host: str, at: int, other: str) -> int:
        """Return the earliest that the clock of another host may have shown when that of a host showed this."""
        return at - self.bounds[other, host]

    def within(self, one: str, other: str) -> int:
        """Return by how much a time between two hosts may be wrong at most, in nanoseconds."""
        between = self.ahead[other] - self.ahead[one]
        return max(0, self.bounds[one, other] - between, self.bounds[other, one] + between)


def clocks(readings: Mapping[str, Sequence[Reading]], crossings: Iterable[Crossing] = ()) -> Clocks:
    """Return the clocks of the hosts that told their times, each at least once."""
    by_readings = _by_readings(readings)
    bounds = dict(by_readings)
    for sender, left, receiver, arrived in crossings:
        bounds[sender, receiver] = min(bounds.get((sender, receiver), _UNKNOWN), arrived - left)
    names = (HERE, *sorted(readings))
    tight = _tightest(names, bounds)
    alike = all(tight[name, name] >= 0 for name in names) and all(map(_agree, readings.values()))
    if not alike:
        tight = _tightest(names, by_readings)
    return Clocks(_chosen(names, tight), tight, alike)


def _agree(readings: Sequence[Reading]) -> bool:
    return max(each.told - each.heard for each in readings) <= min(each.told - each.asked for each in readings)


def _by_readings(readings: Mapping[str, Sequence[Reading]]) -> _Bounds:
    bounds: _Bounds = {}
    for host, told in readings.items():
        least, most = [each.told - each.heard for each in told], [each.told - each.asked for each in told]
        narrowest = _agree(told)
        bounds[host, HERE] = -(max(least) if narrowest else min(least))
        bounds[HERE, host] = min(most) if narrowest else max(most)
    return bounds


def _tightest(names: Sequence[str], bounds: Mapping[tuple[str, str], int]) -> _Bounds:
    """Return the bounds that follow from all; one of a clock and itself is negative where they contradict."""
    tight = {
        (one, other): bounds.get((one, other), 0 if one == other else _UNKNOWN) for one in names for other in names
    }
    for by, one, other in product(names, repeat=3):
        tight[one, other] = min(tight[one, other], tight[one, by] + tight[by, other])
    return tight


def _chosen(names: Sequence[str], tight: _Bounds) -> dict[str, int]:
    """Return by how much each clock is ahead of that of this machine: in the middle of what the others leave."""
    found = {HERE: 0}
    for name in names[1:]:
        middle = (tight[HERE, name] - tight[name, HERE]) // 2
        found[name] = middle
        tight = _tightest(names, {**tight, (HERE, name): middle, (name, HERE): -middle})
    return found
