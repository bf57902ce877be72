"""Flows of others that have more packets than can be looked at beside a check.

A tap keeps only so much of what was not read yet, and behind what fills it the packets of a check are missed. So the
flows that there was most of are left out by the kernel (kernel.flow_filter) when the check is tried again. Of what is
counted then, all that was not seen to be the check's is of others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Set

from labctl.diagnosis.path import Asked
from labctl.engine.packets.ip import TCP, UDP
from labctl.frozen import frozen
from labctl.kernel.flow_filter import Ports, without
from labctl.kernel.packet_taps import EVERYTHING, Seen
from labctl.trace.sightings import sightings

SAMPLE = 2000
"""Packets, the latest, that are asked for their flows."""

SHARE = 0.01
"""Of them, what a flow has at least that is left out."""


@frozen
class Crowd:
    """Flows that are left out, by their protocol and their ports, the lower first."""

    flows: frozenset[tuple[int, Ports]] = frozenset()

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self.flows)

    def joined_by(self, seen: Sequence[Seen], tunnel_ports: Set[int]) -> Crowd:
        """Return this with the flows that have many of the packets that were seen."""
        latest = seen[-SAMPLE:]
        counted = Counter(_flows(latest, tunnel_ports))
        return Crowd(self.flows | {flow for flow, count in counted.items() if count >= SHARE * len(latest)})

    def program(self, asked: Asked | None, tunnel_ports: Set[int]) -> bytes:
        """Return the filter of a tap that leaves them out, but for those that may be of what is asked."""
        left_out = [flow for flow in self.flows if not (asked and asked.port in flow[1])]
        tcp, udp = ([ports for each, ports in left_out if each == protocol] for protocol in (TCP, UDP))
        return without(tcp, tunnel_ports, udp) if left_out else EVERYTHING


def _flows(seen: Sequence[Seen], tunnel_ports: Set[int]) -> Iterator[tuple[int, Ports]]:
    """Yield the flow of each packet that has ports; the datagrams of a tunnel are none, what they carry is."""
    for each in sightings(seen, tunnel_ports):
        for packet in each.packets:
            if packet.ports and tunnel_ports.isdisjoint(packet.ports):
                yield packet.protocol, (min(packet.ports), max(packet.ports))
