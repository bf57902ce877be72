"""Where packets must be counted, and whether they were.

The way of a packet is a row of places that count. Out of a TUN: the interface sends it (tx), the engine reads it, the
engine sends a datagram. Into a TUN: the engine receives the datagram, the engine writes the packet, the interface
receives it (rx). Every other interface is one place. The way back is the same row, backwards.

At every place of the row the number must be the same: exactly as many as were sent, where that is known beforehand
(a ping, one datagram), or else exactly as many as at the other engines (a TCP connection sends what it likes, and its
large segments are one packet to an interface and many to an engine). Interfaces that speak ARP or neighbour discovery
carry more than the probe, so for them the number is a lower bound. And an engine receives what strangers send to its
port; what it has dropped as not its peer's is not counted against the probe.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labctl.checks.results import Evidence
from labctl.plan.facts import LinkCounters
from labctl.topology.interface_ref import InterfaceRef

_ENGINE_OUT = (("tun_read_packets", "read"), ("udp_sent_packets", "sent"))
_RECEIVED = "udp_received_packets"
_OTHERS = ("in_not_from_peer", "in_empty")
"""What an engine counts as received though it is no packet of its peer's."""
_ENGINE_IN = ((_RECEIVED, "received"), ("tun_written_packets", "written"))


@dataclass(frozen=True)
class Snapshot:
    """All counters of a lab at one moment, by interface; engines by their device."""

    interfaces: Mapping[InterfaceRef, LinkCounters]
    engines: Mapping[InterfaceRef, Mapping[str, int]]


@dataclass(frozen=True)
class CountingPoint:
    """One place that counts."""

    ref: InterfaceRef
    counter: str
    words: str
    engine: bool

    def __str__(self) -> str:
        return f"{self.ref} ({'engine ' if self.engine else ''}{self.words})"

    def count(self, before: Snapshot, after: Snapshot) -> int:
        """How much it counted between two moments."""
        if self.engine:
            old_counts, new_counts = before.engines[self.ref], after.engines[self.ref]
            names = {self.counter: 1, **(dict.fromkeys(_OTHERS, -1) if self.counter == _RECEIVED else {})}
            return sum(sign * (new_counts.get(name, 0) - old_counts.get(name, 0)) for name, sign in names.items())
        old, new = before.interfaces.get(self.ref, LinkCounters()), after.interfaces.get(self.ref, LinkCounters())
        return int(getattr(new, self.counter)) - int(getattr(old, self.counter))


def row(crosses: Sequence[InterfaceRef], engines: Iterable[InterfaceRef]) -> list[CountingPoint]:
    """The places on the way out of the first interface, in at the second, out of the third and so on."""
    served = frozenset(engines)
    places = []
    for position, ref in enumerate(crosses):
        places += _out_of(ref, ref in served) if position % 2 == 0 else _into(ref, ref in served)
    return places


def row_back(crosses: Sequence[InterfaceRef], engines: Iterable[InterfaceRef]) -> list[CountingPoint]:
    """The places on the way back."""
    served = frozenset(engines)
    places = []
    for position, ref in reversed(list(enumerate(crosses))):
        places += _out_of(ref, ref in served) if position % 2 else _into(ref, ref in served)
    return places


def _out_of(ref: InterfaceRef, engine: bool) -> list[CountingPoint]:
    further = [CountingPoint(ref, counter, words, True) for counter, words in _ENGINE_OUT] if engine else []
    return [CountingPoint(ref, "tx_packets", "tx", False), *further]


def _into(ref: InterfaceRef, engine: bool) -> list[CountingPoint]:
    first = [CountingPoint(ref, counter, words, True) for counter, words in _ENGINE_IN] if engine else []
    return [*first, CountingPoint(ref, "rx_packets", "rx", False)]


def silence(quiet: Sequence[InterfaceRef], engines: Iterable[InterfaceRef]) -> list[CountingPoint]:
    """The places at which nothing may be counted."""
    served = frozenset(engines)
    places: dict[CountingPoint, None] = {}
    for ref in quiet:
        places.update(dict.fromkeys([*_out_of(ref, ref in served), *_into(ref, ref in served)]))
    return list(places)


def exactly(
    places: Iterable[CountingPoint], number: int, chatty: frozenset[InterfaceRef], before: Snapshot, after: Snapshot
) -> list[Evidence]:
    """The same known number at every place; at least that many on an interface that carries more than the probe."""
    found = []
    for place in places:
        count = place.count(before, after)
        loose = place.ref in chatty and number > 0
        found.append(
            Evidence(
                str(place.ref),
                place.words,
                f"at least {number}" if loose else str(number),
                count,
                count >= number if loose else count == number,
            )
        )
    return found


def conserved(places: Iterable[CountingPoint], before: Snapshot, after: Snapshot) -> list[Evidence]:
    """Something everywhere, and at every engine the same number."""
    places = list(places)
    counts = [(place, place.count(before, after)) for place in places]
    at_engines = [count for place, count in counts if place.engine]
    number = at_engines[0] if at_engines else 0
    return [
        Evidence(str(place.ref), place.words, str(max(number, 1)), count, count == number > 0)
        if place.engine
        else Evidence(str(place.ref), place.words, "at least 1", count, count > 0)
        for place, count in counts
    ]
