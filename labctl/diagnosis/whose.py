"""Whose packets were seen while a check was made: those of its probe, those that answer them, and those of others.

A person may do the same as a check at the same time. Echo requests of checks say that they are (checks.icmp.MARK);
those of the ping of this machine do not, and then all to the address are taken for the probe's. Packets over TCP and
UDP are known by the address and the port that they are for.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Set

from labctl.diagnosis.path import Asked
from labctl.kernel.packet_taps import Seen
from labctl.topology.iproute import IP_PROTOCOLS
from labctl.trace.dissect import Icmp, Packet, Tcp
from labctl.trace.journeys import answers, journeys
from labctl.trace.selection import is_chatter, is_of_check
from labctl.trace.sightings import Journey, sightings

_DNS = 53


def seen_of(asked: Asked, seen: Iterable[Seen], ports: Set[int]) -> tuple[list[Journey], list[Journey], list[Journey]]:
    """Return the journeys of all packets, of those that a probe has sent, and of those that answer them."""
    every = journeys(sightings(seen, ports))
    probes = [each for each in every if _may_be_probe(asked, each)]
    if any(map(is_of_check, probes)):
        probes = list(filter(is_of_check, probes))
    back = [each for each in every if not is_refusal(each) and any(answers(probe, each) for probe in probes)]
    return every, probes, back


def apart(asked: Asked, seen: Iterable[Seen], ports: Set[int]) -> tuple[list[Journey], list[Journey]]:
    """Return the packets of a probe, there and back, and those of others: what kernels exchange about neighbours, too.

    Questions for the name of a probe, and the answers to them, are neither.
    """
    every, probes, _ = seen_of(asked, seen, ports)
    flows = {flow for each in probes for packet in (each.packet, each.at_last) if packet for flow in _flows(packet)}
    own, others = list[Journey](), list[Journey]()
    for each in every:
        packet = each.packet
        if packet is None or is_chatter(packet):
            others.append(each)
        elif not _asks_for_name(asked, packet):
            is_own = not flows.isdisjoint(_flows(packet)) or (
                packet.quoted and any(answers(one, each) for one in probes)
            )
            (own if is_own else others).append(each)
    return own, others


def _flows(packet: Packet) -> Iterator[Hashable]:
    """Yield between whom a packet is under way, in either direction, and the same of one that it quotes."""
    number = packet.ports or (packet.echo[0], packet.echo[0]) if packet.echo else packet.ports or (0, 0)
    yield packet.protocol, frozenset(zip((packet.source, packet.destination), number, strict=True))
    if packet.quoted:
        yield from _flows(packet.quoted)


def _asks_for_name(asked: Asked, packet: Packet) -> bool:
    """Return whether a packet may ask for the address of a name that a probe has, or tell it."""
    return asked.protocol == "tcp" and packet.protocol == IP_PROTOCOLS["udp"] and _DNS in (packet.ports or ())


def is_opaque(journey: Journey) -> bool:
    """Return whether what a packet carries cannot be read, as of IPsec, or of a frame that is not of IP."""
    if journey.packet is None:
        return journey.first.frame.content is None
    return journey.packet.transport is None and not is_chatter(journey.packet)


def is_refusal(journey: Journey) -> bool:
    """Return whether a packet answers that another was not taken in: an ICMP error, or a RST."""
    transport = journey.packet.transport if journey.packet else None
    if isinstance(transport, Icmp):
        return transport.is_error
    return isinstance(transport, Tcp) and "RST" in transport.flags


def _may_be_probe(asked: Asked, journey: Journey) -> bool:
    packet, station = journey.packet, journey.first.station
    if packet is None or station.namespace != asked.sender or packet.destination != str(asked.to):
        return False
    if asked.protocol.startswith("icmp") or asked.protocol == "ipv6-icmp":
        return isinstance(packet.transport, Icmp) and packet.transport.is_echo_request
    return packet.ports is not None and packet.ports[1] == asked.port
