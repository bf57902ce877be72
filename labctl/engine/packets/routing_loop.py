"""Routing loops: an endpoint's own datagram, which a route leads back into its TUN device.

Such a packet would be encapsulated, routed into the tunnel and encapsulated again, endlessly. Each datagram of an
endpoint has the same two addresses and two ports, so a packet that has all four is its own; one that differs in any of
them is forwarded.

Where several tunnels carry one another in a circle, other datagrams encapsulate it: what tun0 sent goes
through tun1 and comes back to tun0 as the payload of a payload. So a UDP payload that is exactly one IP packet is
looked into, and what that carries, too, to a bounded depth. A tunnel inside another that is no circle is never found
inside itself.

Every layer adds at least 28 bytes, until the outermost datagram is sent in fragments. The first fragment holds all
headers, and the lengths that they state, so it is recognised as the whole would be. Later fragments hold no ports:
each is encapsulated once more, and the result is recognised.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from labctl.engine.packets.address import Address
from labctl.engine.packets.ip import (
    AUTHENTICATION,
    DESTINATION,
    FRAGMENT,
    HOP_BY_HOP,
    ROUTING,
    UDP,
    header_of,
    stated_length,
)
from labctl.engine.packets.train import Bytes, Train

UDP_HEADER = 8
# No more than 53 layers fit into 1500 bytes.
_DEEPEST = 64
_EXTENSIONS = {HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION}
# What may stand where an IPv6 header names what comes next, if that is UDP at last.
_TO_UDP = {UDP, *_EXTENSIONS}


@dataclass(frozen=True, slots=True)
class OwnDatagrams:
    """Recognises the datagrams of one endpoint."""

    addresses: bytes  # source and destination, as they stand in an IP header
    ports: bytes  # source and destination, as they stand in a UDP header

    @classmethod
    def between(cls, source: Address, destination: Address) -> OwnDatagrams:
        """Return a matcher of the datagrams from `source` to `destination`."""
        ports = b"".join(each.port.to_bytes(2, "big") for each in (source, destination))
        return cls(source.packed + destination.packed, ports)

    def leaving_from(self, source: Address) -> OwnDatagrams:
        """Return a matcher for when they leave from another address, by the same ports."""
        return replace(self, addresses=source.packed + self.addresses[len(source.packed) :])

    def match(self, packet: Bytes) -> bool:
        """Return whether this packet, which has no fault, is such a datagram or carries one at any depth."""
        for _ in range(_DEEPEST):
            at = _udp_at(packet)
            if not at:
                return False
            if packet[at : at + 4] == self.ports:
                addresses = packet[12:20] if packet[0] >> 4 == 4 else packet[8:40]
                if addresses == self.addresses:
                    return True
            payload = at + UDP_HEADER
            if payload >= len(packet) or packet[payload] >> 4 not in (4, 6):
                return False
            inside = memoryview(packet)[payload:]
            if stated_length(inside) != (packet[at + 4] << 8 | packet[at + 5]) - UDP_HEADER:
                return False
            packet = inside
        return False


def to_inspect(train: Train) -> Iterable[Bytes]:
    """Return the packets of a train that need to be matched.

    The packets of one part share their headers, so the first is enough, unless a payload may be a packet itself.
    """
    first = train.data[: train.size]
    return train.packets() if train.parts > 1 or _may_carry_udp(train, first) else [first]


def _may_carry_udp(train: Train, first: Bytes) -> bool:
    """Return whether a payload of these packets, which share a header, may be a packet of UDP itself."""
    at = _udp_at(first) if len(first) >= 20 else 0
    if not at:
        return False
    inside = at + UDP_HEADER
    versions = {byte >> 4 for byte in set(train.data[inside :: train.size])}
    ipv4 = 4 in versions and UDP in train.data[inside + 9 :: train.size]
    return ipv4 or (6 in versions and not _TO_UDP.isdisjoint(train.data[inside + 6 :: train.size]))


def _udp_at(packet: Bytes) -> int:
    """Return where the UDP header of a packet is, or 0 if there is none: another protocol, or a later fragment."""
    if packet[0] >> 4 == 4:
        if packet[9] != UDP or packet[6] & 0x1F or packet[7]:
            return 0
        at = (packet[0] & 15) * 4
    elif packet[6] == UDP:
        at = 40
    elif packet[6] in _EXTENSIONS:
        header = header_of(packet)
        if header.protocol != UDP or header.fragment_at:
            return 0
        at = header.payload_at
    else:
        return 0
    return at if at + UDP_HEADER <= len(packet) else 0
