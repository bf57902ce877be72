"""Which packets are meant, where no filter in the words of tcpdump is needed."""

from __future__ import annotations

from labctl.frozen import frozen
from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.dissect import Icmp, Packet
from labctl.trace.selection import has_mark


@frozen
class PacketPattern:
    """IP packets at an interface: what is not given may be anything. What labctl sends for its checks is not meant.

    `port` is that of either end; `message` is of ICMP: request, reply or error. `larger` and `length` are in bytes, of
    the whole packet; one of a certain length is no fragment.
    """

    at: InterfaceRef
    protocol: str = ""  # icmp stands for ICMPv6, too
    source: str = ""
    destination: str = ""
    port: int = 0
    message: str = ""
    larger: int = 0
    length: int = 0
    fragment: bool = False

    def fits(self, at: InterfaceRef, packet: Packet) -> bool:
        """Return whether a packet at an interface is meant."""
        return (
            at == self.at
            and self.protocol in ("", packet.protocol_name.lower().removesuffix("v6"))
            and self.source in ("", packet.source)
            and self.destination in ("", packet.destination)
            and self.port in (0, *(packet.ports or ()))
            and self.message in ("", _message(packet))
            and packet.length > self.larger
            and (not self.length or (packet.length == self.length and not packet.is_fragment))
            and (packet.is_fragment or not self.fragment)
            and not has_mark(packet)
        )


def _message(packet: Packet) -> str:
    """Return of which kind a message of ICMP is; empty where it is of another one, or the packet carries none."""
    if not isinstance(packet.transport, Icmp):
        return ""
    if packet.transport.echo:
        return "request" if packet.transport.is_echo_request else "reply"
    return "error" if packet.transport.is_error else ""
