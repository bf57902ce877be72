"""Which packets are meant, where no filter in the words of tcpdump is needed."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.dissect import Packet
from labctl.trace.selection import has_mark


@dataclass(frozen=True)
class PacketPattern:
    """IP packets at an interface: what is not given may be anything. `larger` is in bytes, of the whole packet.

    What labctl sends for its checks is not meant.
    """

    at: InterfaceRef
    protocol: str = ""  # icmp stands for ICMPv6, too
    source: str = ""
    destination: str = ""
    larger: int = 0

    def fits(self, at: InterfaceRef, packet: Packet) -> bool:
        """Return whether a packet at an interface is meant."""
        return (
            at == self.at
            and self.protocol in ("", packet.protocol_name.lower().removesuffix("v6"))
            and self.source in ("", packet.source)
            and self.destination in ("", packet.destination)
            and packet.length > self.larger
            and not has_mark(packet)
        )
