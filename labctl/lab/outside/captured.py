"""Counts of a check's own packets, from what was seen of them where they cross interfaces.

Where whoever has a lab may write into the counters of its engines, and may have made its interfaces of anything, a
count is what was captured: a packet of the check, at an interface that is of the kind that the file says. An engine
has read what its device sent; it has sent what left its namespace in a datagram from its port to its peer's; it has
received what came in to its port, and written what its device received. So the counting points are those of every
other verification (checks.evidence), and so is the judgement. Packets of others at the same places do not count:
TCP connections that were there before are left out by the kernel, and what is none of the check's is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing

from labctl.checks.evidence import CountingPoint, Snapshot
from labctl.diagnosis import gather
from labctl.diagnosis.asked import asked_of
from labctl.diagnosis.path import Asked, Paths
from labctl.kernel import connection_filter, namespaces, sockets
from labctl.kernel.links import links
from labctl.kernel.packet_taps import EVERYTHING, PacketTaps, Seen
from labctl.kernel.rtnetlink import Rtnetlink
from labctl.plan.facts import LinkCounters
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Check, Topology, TunnelEndpoint
from labctl.topology.values import Host
from labctl.trace.dissect import Packet, Tcp
from labctl.trace.journeys import journeys
from labctl.trace.sightings import Journey, Sighting, sightings

Passes = Callable[[Sighting], bool]


class Captured:
    """Watches the namespaces of a topology, and counts the packets of the check that is being made."""

    def __init__(self, topology: Topology, checks: Iterable[Check], identifier: Callable[[], int]) -> None:
        """Look at those namespaces that are there. `identifier` is that of the echo requests that are being sent."""
        paths, names = Paths(topology), list(filter(namespaces.taken, topology.namespaces))
        self._topology, self._identifier = topology, identifier
        self._asked = {check.name: asked for check in checks if (asked := asked_of(check, paths))}
        self._endpoints = {endpoint.device: endpoint for endpoint in topology.ttun}
        self._ports = {each.port for endpoint in topology.ttun for each in (endpoint.bind, endpoint.peer)}
        self._names, self._taps = names, PacketTaps(names)
        self._check: Check | None = None
        self._seen: list[Seen] = []
        self._kinds: dict[InterfaceRef, str] = {}

    def close(self) -> None:
        """See no more."""
        self._taps.close()

    def begin(self, check: Check) -> None:
        """Forget what was seen until now: a check follows."""
        self._check = check
        self._kinds = {ref: _kind(ref) for ref in (*check.crosses, *check.quiet)}
        older = {(min(ports), max(ports)) for name in self._names for ports in _connections(name)}
        self._taps.show(connection_filter.without(older, self._ports) if older else EVERYTHING)
        self._taps.crossed()
        self._seen = []

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
        packets = self._counted()
        seen = {point.ref for point in points}
        return Snapshot(
            {ref: self._at_interface(ref, packets) for ref in seen},
            {ref: self._by_engine(ref, packets) for ref in seen if ref in self._endpoints},
        )

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
        _, probes, answers = gather.seen_of(asked, self._looked(asked), self._ports)
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
            return not asked.port and packet.echo[0] == self._identifier()
        return packet.ports is not None and asked.port in packet.ports

    def _meant(self, ref: InterfaceRef) -> str:
        return self._topology.namespaces[ref.namespace].interfaces[ref.interface].kind

    def _at_interface(self, ref: InterfaceRef, packets: Iterable[Journey]) -> LinkCounters:
        if self._kinds.get(ref) != self._meant(ref):
            return LinkCounters()
        rx, tx = (_count(packets, _at(ref, outgoing)) for outgoing in (False, True))
        return LinkCounters(rx_packets=rx, tx_packets=tx)

    def _by_engine(self, ref: InterfaceRef, packets: Iterable[Journey]) -> Mapping[str, int]:
        """Return what an engine must have done, by the names of its counters."""
        there = self._kinds.get(ref) == self._meant(ref)
        endpoint = self._endpoints[ref]
        done = {
            "tun_read_packets": _at(ref, outgoing=True),
            "udp_sent_packets": _carried(endpoint, outgoing=True),
            "udp_received_packets": _carried(endpoint, outgoing=False),
            "tun_written_packets": _at(ref, outgoing=False),
        }
        return {name: _carried_once(packets, passes) if there else 0 for name, passes in done.items()}


def _kind(ref: InterfaceRef) -> str:
    """Return the kind of an interface by the kernel's word; empty where there is none of that name."""
    if not namespaces.taken(ref.namespace):
        return ""
    with namespaces.inside(ref.namespace), closing(Rtnetlink()) as netlink:
        return next((each.kind for each in links(netlink).values() if each.name == ref.interface), "")


def _connections(name: str) -> set[tuple[int, int]]:
    with namespaces.inside(name):
        return sockets.connections()


def _at(ref: InterfaceRef, outgoing: bool) -> Passes:
    return lambda each: each.station.ref == ref and each.station.outgoing == outgoing


def _carried(endpoint: TunnelEndpoint, outgoing: bool) -> Passes:
    """Return whether a sighting is of a packet in a datagram of an endpoint, at an interface of its namespace."""

    def passes(each: Sighting) -> bool:
        if each.station.namespace != endpoint.device.namespace or each.station.outgoing != outgoing:
            return False
        return any(_is_of(endpoint, layer, outgoing) for layer in each.layers[:-1])

    return passes


def _is_of(endpoint: TunnelEndpoint, datagram: Packet, outgoing: bool) -> bool:
    if datagram.ports is None:
        return False
    (source, to), (sport, dport) = (datagram.source, datagram.destination), datagram.ports
    near, near_port, far, far_port = (source, sport, to, dport) if outgoing else (to, dport, source, sport)
    return (near_port, far_port) == (endpoint.bind.port, endpoint.peer.port) and all(
        _may_be(address, meant) for address, meant in ((near, endpoint.bind.host), (far, endpoint.peer.host))
    )


def _may_be(address: str, meant: Host) -> bool:
    return meant.is_unspecified or address == str(meant)


def _count(packets: Iterable[Journey], passes: Passes) -> int:
    return sum(passes(each) for journey in packets for each in journey.sightings)


def _carried_once(packets: Iterable[Journey], passes: Passes) -> int:
    """Return how many packets passed, each once where it may have been cut or merged, or left by two interfaces."""
    return sum(_times(journey, passes) for journey in packets)


def _times(journey: Journey, passes: Passes) -> int:
    stations: dict[object, int] = {}
    for each in filter(passes, journey.sightings):
        stations[each.station] = stations.get(each.station, 0) + 1
    most = max(stations.values(), default=0)
    is_tcp = journey.packet is not None and isinstance(journey.packet.transport, Tcp)
    return min(most, 1) if is_tcp else most
