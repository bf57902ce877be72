"""The packets of a lab as a few of them were seen: which are over, and can be shown.

A packet is shown once its way is known to its end: where it is answered, or has not been seen for a while. Then it was
lost, but only where nothing was left out of the sample in the meantime; else nothing is known of what became of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from labctl.kernel.packet_taps import PacketType, Seen
from labctl.live.readings import Packet
from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.clocks import Clocks
from labctl.trace.journeys import journeys
from labctl.trace.ladder import Facts, Hop, Ladder, ladders
from labctl.trace.merging import merged, passed
from labctl.trace.selection import concerning
from labctl.trace.sightings import Sighting, sightings
from labctl.web.moves import ENDED

SETTLED = 0.1
"""Seconds after which a packet that has arrived somewhere is not forwarded any more."""

PATIENCE = 1.0
"""Seconds after which a packet that was not seen again is lost, beside those for which it may be held back."""

_SECOND = 1_000_000_000


class Apart(NamedTuple):
    """A lab over hosts: the host of each namespace, the other end of each end of a cable, and how clocks are known."""

    hosts: Mapping[str, str]
    cables: Mapping[InterfaceRef, InterfaceRef]
    clocks: Clocks


class Sample:
    """What was seen, and is not shown yet. Hosts tell of what they see one after the other."""

    def __init__(self) -> None:
        self._sightings: list[Sighting] = []
        self._whole_since = 0  # ns since the epoch; before, something was left out

    def add(self, packets: Iterable[Packet], tunnel_ports: frozenset[int], left_out: bool) -> None:
        """Add packets that were seen; where some were left out, what was seen by now may have gone on unseen."""
        self._sightings += sightings(map(_seen, packets), tunnel_ports)
        if left_out and self._sightings:
            self._whole_since = self._sightings[-1].at + 1

    def order(self, apart: Apart) -> None:
        """Put what several hosts have seen in one order, which no cause contradicts."""
        found: dict[str, list[Sighting]] = defaultdict(list)
        for sighting in self._sightings:
            if host := apart.hosts.get(sighting.station.namespace):
                found[host].append(sighting)
        self._sightings = merged(found, passed(found, apart.cables, apart.clocks), apart.clocks)

    def over(self, now: float, held: float, namespaces: Collection[str], facts: Facts) -> list[Ladder]:
        """Return the ladders of the packets that are over at `now`, in seconds since the epoch; they are forgotten.

        On the whole way impairments hold a packet back for `held` seconds at most. Each ladder is numbered by its place
        in the list, from 1.
        """
        at, patience = int(now * _SECOND), PATIENCE + held
        all_ = journeys(self._sightings)
        found = ladders(concerning(all_, namespaces), facts)
        over = [ladder for ladder in _over(found, at, patience) if not self._may_have_gone_on(ladder)]
        gone = {id(sighting) for ladder in over for sighting in ladder.journey.sightings}
        gone |= {id(one) for journey in all_ if _age(journey.last, at) > patience for one in journey.sightings}
        self._sightings = [one for one in self._sightings if id(one) not in gone]
        return ladders([ladder.journey for ladder in over], facts)

    def _may_have_gone_on(self, ladder: Ladder) -> bool:
        return ladder.end in ENDED and ladder.journey.first.at < self._whole_since


def _over(found: Sequence[Ladder], at: int, patience: float) -> Iterable[Ladder]:
    """Yield those that are over: a packet and its answer together."""
    answers = {ladder.answer_to: ladder for ladder in found if ladder.answer_to is not None}
    asked = {ladder.number: ladder for ladder in found}
    for ladder in found:
        other = answers.get(ladder.number) or asked.get(ladder.answer_to or 0)
        if _is_over(ladder, at, patience) and (other is None or _is_over(other, at, patience)):
            yield ladder


def _is_over(ladder: Ladder, at: int, patience: float) -> bool:
    age = _age(ladder.journey.last, at)
    if ladder.end is Hop.LOST:
        return age > patience
    return ladder.end is Hop.ACCEPTED or age > SETTLED


def _age(sighting: Sighting, at: int) -> float:
    return (at - sighting.at) / _SECOND


def _seen(packet: Packet) -> Seen:
    kind = PacketType.OUTGOING if packet.outgoing else PacketType.HOST
    at = int(packet.at * _SECOND)
    return Seen(at, *packet.place, kind, packet.ethernet, packet.length, packet.frame)
