"""What a router answers to a packet that is larger than the next link: pure functions over packets.

IPv4 says "fragmentation needed and DF set" (RFC 792, RFC 1191 4), IPv6 "packet too big" (RFC 4443 3.2), and
the sender's path MTU discovery goes on from there. A packet that may be fragmented gets no answer: an IPv4
packet without DF, and an IPv6 packet of no more than 1280 bytes, which every link must carry (RFC 8200 5)
and for which a tunnel therefore fragments its own packet (RFC 2473 7.1).

The answer comes from the address that the packet was for. A TUN device need not have an address, and one of
the machine's own would be refused as a martian when it comes in. Linux does the same for its own tunnels
(`iptunnel_pmtud_build_icmp`).

No answer is given to an ICMP error, to a fragment but the first, nor to or from an address that is not one
host's (RFC 1122 3.2.2, RFC 4443 2.4 e).
"""

from __future__ import annotations

import ipaddress
import struct

from labctl.engine.packets.ip import IPV4_HEADER, IPV6_HEADER, checksum, parse
from labctl.engine.packets.train import Bytes

ICMP, ICMPV6 = 1, 58
LEAST_IPV6_MTU = 1280
# RFC 1812 4.3.2.3 and RFC 4443 2.4 c: as much of the packet as fits into the least MTU.
_LARGEST_IPV4, _LARGEST_IPV6 = 576, LEAST_IPV6_MTU
_ICMP_ERRORS = {3, 4, 5, 11, 12}
_DONT_FRAGMENT = 0x40


def may_fragment(packet: Bytes) -> bool:
    """Return whether this packet, which has no fault, may be sent in fragments."""
    if packet[0] >> 4 == 4:
        return not packet[6] & _DONT_FRAGMENT
    return len(packet) <= LEAST_IPV6_MTU


def answer(packet: Bytes, mtu: int) -> bytes | None:
    """Return the ICMP message to the sender of a packet without a fault, or None where none is allowed."""
    header = parse(packet)
    version = packet[0] >> 4
    if header.fragment_at or not (_one_host(header.source) and _one_host(header.destination)):
        return None
    if header.protocol == (ICMP if version == 4 else ICMPV6):
        kind = packet[header.payload_at] if header.payload_at < len(packet) else 0
        if kind in _ICMP_ERRORS if version == 4 else kind < 128:
            return None
    if version == 4:
        return _ipv4(packet, header.destination, header.source, mtu)
    return _ipv6(packet, header.destination, header.source, max(mtu, LEAST_IPV6_MTU))


def _ipv4(packet: Bytes, source: bytes, destination: bytes, mtu: int) -> bytes:
    quoted = bytes(packet[: _LARGEST_IPV4 - IPV4_HEADER - 8])
    message = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + quoted
    message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
    # Precedence 6, "internetwork control", as RFC 1812 4.3.2.5 asks for.
    fields = (0x45, 0xC0, IPV4_HEADER + len(message), 0, _DONT_FRAGMENT << 8, 64, ICMP)
    bare = struct.pack("!BBHHHBB2x4s4s", *fields, source, destination)
    return bare[:10] + struct.pack("!H", checksum(bare)) + bare[12:] + message


def _ipv6(packet: Bytes, source: bytes, destination: bytes, mtu: int) -> bytes:
    quoted = bytes(packet[: _LARGEST_IPV6 - IPV6_HEADER - 8])
    message = struct.pack("!BBHI", 2, 0, 0, mtu) + quoted
    pseudo = source + destination + struct.pack("!II", len(message), ICMPV6)
    message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
    return struct.pack("!IHBB", 6 << 28, len(message), ICMPV6, 64) + source + destination + message


def _one_host(packed: bytes) -> bool:
    address = ipaddress.ip_address(packed)
    return not (address.is_multicast or address.is_unspecified or address.is_loopback) and packed != b"\xff" * 4
