"""The sightings of several hosts as those of one: in an order that no cause contradicts.

Each host orders its own by its own clock. A packet leaves one end of a cable before it arrives at the other: so what
arrives comes after what left, whatever the clocks say. Between the rest, times decide, brought to one clock (clocks).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.clocks import Clocks, Crossing, Reading, clocks
from labctl.trace.dissect import Tcp
from labctl.trace.journeys import identity
from labctl.trace.sightings import Sighting

Found = Mapping[str, Sequence[Sighting]]
"""The sightings of each host, in the order of its clock."""

Cables = Mapping[InterfaceRef, InterfaceRef]
"""The other end of each end of a cable between hosts."""


class Passed(NamedTuple):
    """A packet that was seen going into a cable and coming out of it, each with its host."""

    sender: str
    left: Sighting
    receiver: str
    arrived: Sighting
    is_sure: bool  # whether no other packet could be taken for it

    @property
    def crossing(self) -> Crossing:
        """Return what it says of the clocks."""
        return Crossing(self.sender, self.left.at, self.receiver, self.arrived.at)


@dataclass
class _Alike:
    """Sightings of packets that cannot be told apart, at both ends of a cable in one direction."""

    left: list[tuple[str, Sighting]] = field(default_factory=list)
    arrived: list[tuple[str, Sighting]] = field(default_factory=list)


def on_one_clock(
    found: Found, cables: Cables, readings: Mapping[str, Sequence[Reading]], *, complete: bool
) -> tuple[Clocks, list[Sighting]]:
    """Return the clocks of the hosts, and the sightings of all in one order.

    Where the sightings are `complete`, what surely passed a cable says more of the clocks than round trips do, and by
    that the packets are told apart which look alike.
    """
    known = clocks(readings)
    if complete:
        known = clocks(readings, [pair.crossing for pair in passed(found, cables, known) if pair.is_sure])
    return known, merged(found, passed(found, cables, known), known)


def passed(found: Found, cables: Cables, known: Clocks) -> list[Passed]:
    """Return what passed the cables between hosts.

    Of packets that cannot be told apart each that arrives is the latest that may have left by then, as far as the
    clocks are known; more may leave than arrive.
    """
    alike: dict[Hashable, _Alike] = defaultdict(_Alike)
    for host, sightings in found.items():
        for sighting in sightings:
            ref = sighting.station.ref
            if ref not in cables:
                continue
            if sighting.station.outgoing:
                alike[cables[ref], _same(sighting)].left.append((host, sighting))
            else:
                alike[ref, _same(sighting)].arrived.append((host, sighting))
    return [pair for each in alike.values() for pair in _pairs(each, known)]


def _pairs(alike: _Alike, known: Clocks) -> Iterator[Passed]:
    is_sure = len(alike.left) == len(alike.arrived) == 1
    left = list(alike.left)
    for receiver, arrived in reversed(alike.arrived):
        while left:
            sender, candidate = left.pop()
            if known.earliest(sender, candidate.at, receiver) <= arrived.at:
                yield Passed(sender, candidate, receiver, arrived, is_sure)
                break


def _same(sighting: Sighting) -> Hashable:
    """Return what is the same of a packet at both ends of a cable, also where a superframe was cut in between."""
    packet = sighting.packet
    if packet is None:
        return (sighting.frame.protocol, sighting.frame.data)
    depth = len(sighting.layers)
    if isinstance(packet.transport, Tcp) and packet.payload_length:
        return (depth, packet.source, packet.destination, packet.ports, packet.transport.sequence)
    return (depth, identity(packet))


def merged(found: Found, pairs: Sequence[Passed], known: Clocks) -> list[Sighting]:
    """Return the sightings of all hosts in one order, with times of this machine that never go back.

    Of packets that look alike one may be taken for another, so that two wait for each other: what is sure decides then.
    """
    causes = {id(pair.arrived): pair for pair in pairs}
    waiting = {host: deque(sightings) for host, sightings in found.items() if sightings}
    told: list[Sighting] = []
    done: set[int] = set()

    def turn(host: str) -> tuple[bool, bool, int]:
        """Return what the turn of a host depends on: if its next one waits for a sure cause, for any, and its time."""
        following = waiting[host][0]
        pair, at = causes.get(id(following)), known.here(host, following.at)
        if pair is None or id(pair.left) in done:
            return False, False, at
        return pair.is_sure, True, at

    while waiting:
        host = min(waiting, key=turn)
        *_, at = turn(host)
        sighting = waiting[host].popleft()
        if not waiting[host]:
            del waiting[host]
        done.add(id(sighting))
        at = max(at, told[-1].at) if told else at
        told.append(replace(sighting, at=at, seen=replace(sighting.seen, at=at)))
    return told
