"""Where packets must be counted, and whether they were.

The way of a packet is a row of counting points. Out of a TUN: the interface sends it (tx), the engine reads it, the
engine sends a datagram. Into a TUN: the engine receives the datagram, the engine writes the packet, the interface
receives it (rx). Every other interface is one point. The way back is the same row, backwards.

At every point of the row the number must be the same: exactly as many as were sent, where that is known beforehand
(a ping, one datagram), or else exactly as many as at the other engines (a TCP connection sends what it likes, and its
large segments are one packet to an interface and many to an engine). Where packets may be lost on the way (a ping with
`loss`) it is at most as many as were sent, and at least as many as came back. Interfaces that speak ARP or neighbour
discovery carry more than the probe, so for them the number is a lower bound. And an engine receives what other hosts
send to its port; what it has dropped as not its peer's is not counted against the probe.

A counter does not tell whose packets it counts. Where packets were looked at while they crossed (`Crossed`), those of
others are taken off. So are refusals on the way back where silence is expected: an ICMP error is no reply.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from labctl.checks.results import Carried, Evidence
from labctl.frozen import frozen
from labctl.plan.facts import LinkCounters
from labctl.topology.interface_ref import InterfaceRef

_ENGINE_OUT = (("tun_read_packets", "read"), ("udp_sent_packets", "sent"))
_RECEIVED = "udp_received_packets"
_OTHERS = ("in_not_from_peer", "in_empty")
"""What an engine counts as received though it is no packet of its peer's."""
_ENGINE_IN = ((_RECEIVED, "received"), ("tun_written_packets", "written"))


@frozen
class Snapshot:
    """All counters of a lab at one moment, by interface; engines by their device."""

    interfaces: Mapping[InterfaceRef, LinkCounters]
    engines: Mapping[InterfaceRef, Mapping[str, int]]


@frozen
class CountingPoint:
    """A counter on the way of a packet: of an interface, or of its engine."""

    ref: InterfaceRef
    counter: str
    words: str
    engine: bool

    def __str__(self) -> str:
        return f"{self.ref} ({'engine ' if self.engine else ''}{self.words})"

    def count(self, meanwhile: Meanwhile) -> tuple[int, int]:
        """Return how many packets of the probe it counted, and of others.

        A packet is seen before it is counted, and an engine may not have read it yet: what was counted is all there is.
        """
        counted = self._counted(meanwhile.before, meanwhile.after)
        own, others = (seen.get(self, 0) for seen in (meanwhile.crossed.own, meanwhile.crossed.others))
        of_others = max(0, min(others, counted - own))
        return counted - of_others, of_others

    def least(self, meanwhile: Meanwhile) -> tuple[int, int]:
        """Return the same where the least number is asked for: with what may carry packets of the probe."""
        count, others = self.count(meanwhile)
        opaque = min(others, meanwhile.crossed.opaque.get(self, 0))
        return count + opaque, others - opaque

    def _counted(self, before: Snapshot, after: Snapshot) -> int:
        if self.engine:
            old_counts, new_counts = before.engines[self.ref], after.engines[self.ref]
            names = {self.counter: 1, **(dict.fromkeys(_OTHERS, -1) if self.counter == _RECEIVED else {})}
            return sum(sign * (new_counts.get(name, 0) - old_counts.get(name, 0)) for name, sign in names.items())
        old, new = before.interfaces.get(self.ref, LinkCounters()), after.interfaces.get(self.ref, LinkCounters())
        return int(getattr(new, self.counter)) - int(getattr(old, self.counter))


@frozen
class Crossed:
    """How many packets were seen where they passed counting points: those of a probe, and those of others.

    `refusals` are those of the probe's that only say that another was not taken in: ICMP errors, and RST. `opaque` are
    those of others whose content cannot be read, as with IPsec: they may carry the probe's.
    """

    own: Mapping[CountingPoint, int] = field(default_factory=dict)
    others: Mapping[CountingPoint, int] = field(default_factory=dict)
    refusals: Mapping[CountingPoint, int] = field(default_factory=dict)
    opaque: Mapping[CountingPoint, int] = field(default_factory=dict)

    def without_refusals(self) -> Crossed:
        """Return the same, with refusals among what is not the probe's."""
        own, others = Counter(self.own), Counter(self.others)
        return Crossed(own - Counter(self.refusals), others + Counter(self.refusals), opaque=self.opaque)


@frozen
class Meanwhile:
    """All that is known of what happened between two moments."""

    before: Snapshot
    after: Snapshot
    crossed: Crossed = field(default_factory=Crossed)


def row(crosses: Sequence[InterfaceRef], engines: Iterable[InterfaceRef]) -> list[CountingPoint]:
    """Return the points on the way out of the first interface, in at the second, out of the third and so on."""
    served = frozenset(engines)
    points = []
    for position, ref in enumerate(crosses):
        points += _out_of(ref, ref in served) if position % 2 == 0 else _into(ref, ref in served)
    return points


def row_back(crosses: Sequence[InterfaceRef], engines: Iterable[InterfaceRef]) -> list[CountingPoint]:
    """Return the points on the way back."""
    served = frozenset(engines)
    points = []
    for position, ref in reversed(list(enumerate(crosses))):
        points += _out_of(ref, ref in served) if position % 2 else _into(ref, ref in served)
    return points


def _out_of(ref: InterfaceRef, engine: bool) -> list[CountingPoint]:
    further = [CountingPoint(ref, counter, words, True) for counter, words in _ENGINE_OUT] if engine else []
    return [CountingPoint(ref, "tx_packets", "tx", False), *further]


def _into(ref: InterfaceRef, engine: bool) -> list[CountingPoint]:
    first = [CountingPoint(ref, counter, words, True) for counter, words in _ENGINE_IN] if engine else []
    return [*first, CountingPoint(ref, "rx_packets", "rx", False)]


def silence(quiet: Sequence[InterfaceRef], engines: Iterable[InterfaceRef]) -> list[CountingPoint]:
    """Return the points at which nothing may be counted."""
    served = frozenset(engines)
    points: dict[CountingPoint, None] = {}
    for ref in quiet:
        points.update(dict.fromkeys([*_out_of(ref, ref in served), *_into(ref, ref in served)]))
    return list(points)


def within(
    points: Iterable[CountingPoint], number: Carried, chatty: frozenset[InterfaceRef], meanwhile: Meanwhile
) -> list[Evidence]:
    """Return what was counted against known numbers, the least on an interface that carries more than the probe."""
    found = []
    for point in points:
        most = None if point.ref in chatty and number.most != 0 else number.most
        count, others = point.least(meanwhile) if most is None else point.count(meanwhile)
        holds = number.least <= count and (most is None or count <= most)
        found.append(Evidence(str(point.ref), point.words, _in_words(number.least, most), count, holds, others))
    return found


def _in_words(least: int, most: int | None) -> str:
    if most is None:
        return f"at least {least}"
    return str(least) if least == most else f"{least} to {most}"


def conserved(points: Iterable[CountingPoint], meanwhile: Meanwhile) -> list[Evidence]:
    """Return what was counted against an unknown number: not zero, and at every engine the same."""
    counts = [(point, *(point.count if point.engine else point.least)(meanwhile)) for point in points]
    at_engines = [count for point, count, _ in counts if point.engine]
    number = at_engines[0] if at_engines else 0
    return [
        Evidence(str(point.ref), point.words, str(max(number, 1)), count, count == number > 0, others)
        if point.engine
        else Evidence(str(point.ref), point.words, "at least 1", count, count > 0, others)
        for point, count, others in counts
    ]
