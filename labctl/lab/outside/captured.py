"""Counts of a check's own packets, from what was seen of them where they cross interfaces.

Where whoever has a lab may write into the counters of its engines, and may have made its interfaces of anything, a
count is what was captured: a packet of the check, at an interface that is of the kind that the file says (passages.py
of the diagnosis). So the counting points are those of every other verification (checks.evidence), and so is the
judgement. Packets of others at the same places do not count: TCP connections that were there before are left out by the
kernel, and what is none of the check's is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import closing

from labctl.checks.evidence import CountingPoint, Crossed, Snapshot
from labctl.diagnosis.asked import asked_of
from labctl.diagnosis.passages import passed
from labctl.diagnosis.path import Asked, Paths
from labctl.diagnosis.whose import seen_of
from labctl.kernel import flow_filter, namespaces, sockets
from labctl.kernel.links import links
from labctl.kernel.packet_taps import EVERYTHING, PacketTaps, Seen
from labctl.kernel.rtnetlink import Rtnetlink
from labctl.plan.facts import LinkCounters
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Check, Topology
from labctl.trace.dissect import Packet
from labctl.trace.journeys import journeys
from labctl.trace.sightings import Journey, sightings


class Captured:
    """Watches the namespaces of a topology, and counts the packets of the check that is being made."""

    def __init__(self, topology: Topology, checks: Iterable[Check], mark: Callable[[], int]) -> None:
        """Look at those namespaces that are there.

        `mark` tells the packets of the probe that is being made from others: the identifier of its echo requests, or
        the port of its client; 0 where that is not known.
        """
        paths, names = Paths(topology), list(filter(namespaces.taken, topology.namespaces))
        self._topology, self._mark = topology, mark
        self._asked = {check.name: asked for check in checks if (asked := asked_of(check, paths))}
        self._endpoints = {endpoint.device: endpoint for endpoint in topology.ttun}
        self._ports = {each.port for endpoint in topology.ttun for each in (endpoint.bind, endpoint.peer)}
        self._names, self._taps = names, PacketTaps(names)
        self._check: Check | None = None
        self._seen: list[Seen] = []
        self._kinds: dict[InterfaceRef, str] = {}
        self._missed = 0

    def close(self) -> None:
        """See no more."""
        self._taps.close()

    def begin(self, check: Check) -> None:
        """Forget what was seen until now: a check follows."""
        self._check = check
        self._kinds = {ref: _kind(ref) for ref in (*check.crosses, *check.quiet)}
        port = asked.port if (asked := self._asked.get(check.name)) else 0
        older = {(min(ports), max(ports)) for name in self._names for ports in _connections(name)}
        older = {ports for ports in older if port not in ports}  # whose ports those of the check may be
        self._taps.show(flow_filter.without(older, self._ports) if older else EVERYTHING)
        self._taps.crossed()
        self._seen = []
        self._missed = self._taps.missed()

    def crossed(self, check: Check, points: Collection[CountingPoint]) -> Crossed:
        """Return that nothing is to be taken off: packets of others are not counted here."""
        return Crossed()

    def answered_elsewhere(self, check: Check) -> str:
        """Return the namespace that has answered in place of the one that the file means; empty where it has not."""
        asked = self._asked.get(check.name)
        if asked is None or not asked.receiver or not asked.answered:
            return ""
        probes, answers = self._packets(asked)
        arrived = any(each.station.namespace == asked.receiver for probe in probes for each in probe.sightings)
        answering = [each.first.station.namespace for each in answers]
        return "" if arrived or not answering or asked.receiver in answering else answering[0]

    def observe(self, points: Collection[CountingPoint]) -> Snapshot:
        """Return what was counted since `begin` at these points."""
        there = [point for point in points if self._kinds.get(point.ref) == self._meant(point.ref)]
        counts: dict[InterfaceRef, dict[str, int]] = {point.ref: {} for point in points}
        engines: dict[InterfaceRef, dict[str, int]] = {point.ref: {} for point in points if point.engine}
        for point, count in passed(there, self._endpoints, self._counted()).items():
            (engines if point.engine else counts)[point.ref][point.counter] = count
        return Snapshot({ref: LinkCounters(**found) for ref, found in counts.items()}, engines)

    def missed(self) -> int:
        """Return how many packets were too many to be looked at since `begin`: a count is then no count."""
        return self._taps.missed() - self._missed

    def wrong_kinds(self) -> list[str]:
        """Return, in words, which interfaces of the check are not of the kind that the file says, or are not there."""
        return [
            f"{ref} is {f'of kind {kind}' if kind else 'not there'}, and not a {wanted}"
            for ref, kind in self._kinds.items()
            if kind != (wanted := self._meant(ref))
        ]

    def _counted(self) -> list[Journey]:
        """Return the packets of the check there and back; all where only its probe knows to whom they go."""
        asked = self._asked.get(self._check.name) if self._check else None
        if asked is None:
            return journeys(sightings(self._looked(None), self._ports))
        probes, answers = self._packets(asked)
        return [*probes, *answers]

    def _packets(self, asked: Asked) -> tuple[list[Journey], list[Journey]]:
        """Return the packets of the check, and those that answer them."""
        _, probes, answers = seen_of(asked, self._looked(asked), self._ports)
        return probes, answers

    def _looked(self, asked: Asked | None) -> list[Seen]:
        """Return what has been seen since `begin` of packets that may be those of the check."""
        found = sightings(self._taps.crossed(), self._ports)
        self._seen += [
            each.seen for each in found if asked is None or any(self._may_be(asked, one) for one in each.packets)
        ]
        return self._seen

    def _may_be(self, asked: Asked, packet: Packet) -> bool:
        """Return whether a packet may be of the check: by its ports, or the identifier of an echo; or it is a part."""
        if packet.fragment_at:
            return True
        if packet.echo is not None:
            return not asked.port and packet.echo[0] == self._mark()
        mark = self._mark()
        return packet.ports is not None and asked.port in packet.ports and (not mark or mark in packet.ports)

    def _meant(self, ref: InterfaceRef) -> str:
        return self._topology.namespaces[ref.namespace].interfaces[ref.interface].kind


def _kind(ref: InterfaceRef) -> str:
    """Return the kind of an interface by the kernel's word; empty where there is none of that name."""
    if not namespaces.taken(ref.namespace):
        return ""
    with namespaces.inside(ref.namespace), closing(Rtnetlink()) as netlink:
        return next((each.kind for each in links(netlink).values() if each.name == ref.interface), "")


def _connections(name: str) -> set[tuple[int, int]]:
    with namespaces.inside(name):
        return sockets.connections()
