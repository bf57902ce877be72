"""Packets of others that are more than can be looked at beside a check.

A tap keeps only so much of what was not read yet, and behind what fills it the packets of a check are missed. So what
there was most of is left out by the kernel (kernel.flow_filter) when the check is tried again: flows between two ports,
all that goes to or comes from the port of a service, echoes without the mark of a check, parts of packets that were
cut. Of what is counted then, all that was not seen to be the check's is of others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Set

from labctl.checks.icmp import MARK
from labctl.diagnosis.path import Asked
from labctl.engine.packets.ip import TCP, UDP
from labctl.frozen import frozen
from labctl.kernel.flow_filter import Ports, without
from labctl.kernel.packet_taps import EVERYTHING, Seen
from labctl.topology.iproute import IP_PROTOCOLS
from labctl.trace.dissect import Packet
from labctl.trace.selection import has_mark
from labctl.trace.sightings import sightings

SAMPLE = 2000
"""Packets, the latest, that are asked for what they are of."""

SHARE = 0.01
"""Of them, what a flow has at least that is left out; so have a service, parts, and echoes."""

CLIENTS = 32768
"""The first of the ports that clients have (net.ipv4.ip_local_port_range): one of these is that of no service."""


@frozen
class Crowd:
    """What is left out: flows, by their protocol and their ports, the lower first; the ports of services; and so on."""

    flows: frozenset[tuple[int, Ports]] = frozenset()
    services: frozenset[int] = frozenset()
    parts: frozenset[int] = frozenset()  # protocols, of whose packets all parts but the first are
    echoes: bool = False  # whether those without the mark are
    are_marked: bool = False  # whether those of checks have been seen to have it: a program of the machine sets none

    def __bool__(self) -> bool:
        """Return whether there is anything."""
        return bool(self.flows or self.services or self.parts or self.echoes)

    def joined_by(self, seen: Sequence[Seen], tunnel_ports: Set[int]) -> Crowd:
        """Return this with what has many of the packets that were seen."""
        flows, services, parts = Counter[tuple[int, Ports]](), Counter[int](), Counter[int]()
        latest, echoes = seen[-SAMPLE:], 0
        for packet in (packet for each in sightings(latest, tunnel_ports) for packet in each.packets):
            if packet.fragment_at:
                parts[packet.protocol] += 1
            elif packet.echo:
                echoes += not has_mark(packet)
            elif packet.ports and tunnel_ports.isdisjoint(packet.ports):  # what a tunnel carries is counted, it is not
                flows[packet.protocol, (min(packet.ports), max(packet.ports))] += 1
                services.update(port for port in packet.ports if port < CLIENTS)
        many = SHARE * len(latest)
        return Crowd(
            self.flows | {flow for flow, count in flows.items() if count >= many},
            self.services | {port for port, count in services.items() if count >= many},
            self.parts | {protocol for protocol, count in parts.items() if count >= many},
            self.echoes or (echoes > 0 and echoes >= many),
            self.are_marked or any(map(has_mark, _with_mark(seen, tunnel_ports))),
        )

    def program(self, asked: Asked | None, tunnel_ports: Set[int], translated: bool) -> bytes:
        """Return the filter of a tap that leaves all of it out, but for what may be of what is asked.

        Where ports are `translated`, those of a service may be what those that are asked for become.
        """
        port, protocol = (asked.port, IP_PROTOCOLS[asked.protocol]) if asked else (0, 0)
        services = frozenset[int]() if port and translated else self.services - {port}
        flows = [each for each in self.flows if port not in each[1] and services.isdisjoint(each[1])]
        tcp, udp = ([ports for each, ports in flows if each == one] for one in (TCP, UDP))
        parts = self.parts - {protocol, *([UDP] if tunnel_ports else [])}
        mark = MARK[:4] if self.echoes and (port or self.are_marked) else b""
        return without(tcp, tunnel_ports, udp, services, parts, mark) if self else EVERYTHING


def _with_mark(seen: Sequence[Seen], tunnel_ports: Set[int]) -> Iterator[Packet]:
    """Yield the packets whose bytes have the mark somewhere."""
    for each in sightings((each for each in seen if MARK in each.frame), tunnel_ports):
        yield from each.packets
