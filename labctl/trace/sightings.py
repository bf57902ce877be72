"""The sightings of one packet along its way.

A packet is seen at stations: it leaves a namespace by an interface, and arrives at another. Which sightings are of one
packet is worked out in `journeys`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from labctl.frozen import frozen
from labctl.kernel.packet_taps import PacketType, Seen
from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.dissect import Frame, Packet, frame


class Station(NamedTuple):
    """An interface, and the direction in which packets pass it."""

    namespace: str
    interface: str
    outgoing: bool

    @property
    def ref(self) -> InterfaceRef:
        """Return the interface by its full name."""
        return InterfaceRef(self.namespace, self.interface)

    def __str__(self) -> str:
        return f"{self.ref} {'out' if self.outgoing else 'in'}"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A frame at a station, in nanoseconds since the epoch."""

    station: Station
    at: int
    kind: PacketType
    frame: Frame
    seen: Seen = field(repr=False, compare=False)

    @property
    def layers(self) -> tuple[Packet, ...]:
        """Return the IP packets of the frame, the outermost first; none where it carries another thing."""
        return self.frame.packet.layers if self.frame.packet else ()

    @property
    def packet(self) -> Packet | None:
        """Return the innermost packet: what is under way, whatever carries it. Of several it is the first."""
        return self.layers[-1] if self.layers else None

    @property
    def packets(self) -> tuple[Packet, ...]:
        """Return all innermost packets: more than one where a superframe of a tunnel is not cut yet."""
        layers = self.layers
        return layers[-2].inside if len(layers) > 1 else layers


class Change(NamedTuple):
    """A header field that differs from one sighting to the next: its name, and both values."""

    what: str
    before: str
    after: str


@frozen
class Journey:
    """The sightings of one packet, in order of time. A frame without an IP packet has one, too."""

    packet: Packet | None  # as it was when it was seen first
    sightings: tuple[Sighting, ...]

    @property
    def first(self) -> Sighting:
        """Return where it was seen first."""
        return self.sightings[0]

    @property
    def last(self) -> Sighting:
        """Return where it was seen last."""
        return self.sightings[-1]

    @property
    def at_last(self) -> Packet | None:
        """Return the packet as it was when it was seen last alone; where that was in fragments, the first of them."""
        alone = (each.packet for each in reversed(self.sightings) if len(each.packets) == 1)
        return next((packet for packet in alone if packet and not packet.fragment_at), self.packet)

    @property
    def passages(self) -> list[tuple[Sighting, ...]]:
        """Return the sightings together that are of one passage of a station, as of fragments; in order of the first.

        A packet that goes round in a loop passes a station again, with a TTL that has become less.
        """
        passages: list[list[Sighting]] = []
        latest: dict[Station, list[Sighting]] = {}
        for sighting in self.sightings:
            passage = latest.get(sighting.station)
            if passage is None or _ttl(sighting) < _ttl(passage[0]):
                passage = latest[sighting.station] = []
                passages.append(passage)
            passage.append(sighting)
        return list(map(tuple, passages))

    @property
    def changes(self) -> tuple[Change, ...]:
        """Return what was rewritten on the way: addresses and ports (NAT), and TTL (a router)."""
        return tuple(change for before, after in pairwise(self.sightings) for change in changed(before, after))


def sightings(seen: Iterable[Seen], tunnel_ports: Set[int] = frozenset()) -> list[Sighting]:
    """Return what was seen as sightings. `tunnel_ports` are the UDP ports of the engines (bind and peer)."""
    return [
        Sighting(
            Station(each.namespace, each.interface, each.outgoing),
            each.at,
            each.kind,
            frame(each.frame, each.ethernet, tunnel_ports),
            each,
        )
        for each in seen
    ]


def _ttl(sighting: Sighting) -> int:
    return sighting.packet.ttl if sighting.packet else 0


def changed(before: Sighting, after: Sighting) -> Iterator[Change]:
    """Yield what differs between two sightings, in the layers that both have."""
    if len(before.layers) != len(after.layers):
        pairs = [(before.packet, after.packet)]
    else:
        pairs = list(zip(before.layers, after.layers, strict=True))
    for one, other in pairs:
        if one is None or other is None or one.fragment_at or other.fragment_at:
            continue
        fields = {
            "source": (one.source, other.source),
            "destination": (one.destination, other.destination),
            "ports": (one.ports, other.ports),
            "ICMP identifier": (one.echo and one.echo[0], other.echo and other.echo[0]),
            "TTL" if one.version == 4 else "hop limit": (one.ttl, other.ttl),
        }
        for what, (was, became) in fields.items():
            if was != became:
                yield Change(what, _words(was), _words(became))


def _words(value: object) -> str:
    return " > ".join(map(str, value)) if isinstance(value, tuple) else str(value)
