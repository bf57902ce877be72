"""How often packets that were seen have passed the counting points of checks (checks.evidence).

An interface counts frames. An engine has read what its device sent; it has sent what left its namespace in a datagram
from its port to its peer's; it has received what came in to its port, and written what its device received. What may
have been cut or merged on the way, or left by two interfaces, an engine counts once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from labctl.checks.evidence import CountingPoint
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import TunnelEndpoint
from labctl.topology.values import Host
from labctl.trace.dissect import Packet, Tcp
from labctl.trace.sightings import Journey, Sighting, Station

_Passes = Callable[[Sighting], bool]


def passed(
    points: Iterable[CountingPoint], endpoints: Mapping[InterfaceRef, TunnelEndpoint], packets: Iterable[Journey]
) -> dict[CountingPoint, int]:
    """Return how many packets were seen to pass each of these points; `endpoints` are those of engines, by device."""
    packets = list(packets)
    frames = Counter(each.station for journey in packets for each in journey.sightings)
    return {
        point: _by_engine(point, endpoints[point.ref], packets)
        if point.engine
        else frames[Station(*point.ref, point.counter == "tx_packets")]
        for point in points
    }


def _by_engine(point: CountingPoint, endpoint: TunnelEndpoint, packets: Iterable[Journey]) -> int:
    passes: _Passes = {
        "tun_read_packets": _at(point.ref, outgoing=True),
        "udp_sent_packets": _carried(endpoint, outgoing=True),
        "udp_received_packets": _carried(endpoint, outgoing=False),
        "tun_written_packets": _at(point.ref, outgoing=False),
    }[point.counter]
    return sum(_times(journey, passes) for journey in packets)


def _at(ref: InterfaceRef, outgoing: bool) -> _Passes:
    return lambda each: each.station.ref == ref and each.station.outgoing == outgoing


def _carried(endpoint: TunnelEndpoint, outgoing: bool) -> _Passes:
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


def _times(journey: Journey, passes: _Passes) -> int:
    stations = Counter(each.station for each in journey.sightings if passes(each))
    most = max(stations.values(), default=0)
    is_tcp = journey.packet is not None and isinstance(journey.packet.transport, Tcp)
    return min(most, 1) if is_tcp else most
