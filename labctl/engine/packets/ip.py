"""IP headers (RFC 791, RFC 8200).

A tunnel carries packets that it did not make, so the one question that it must answer for each is: is this exactly one
IP packet, of the length that it states itself? What is inside concerns only the two hosts. A bad header checksum, for
example, is left to the receiving kernel, which counts it (Ip: InHdrErrors).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from labctl.engine.packets.train import Bytes

HOP_BY_HOP, TCP, UDP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION = 0, 6, 17, 43, 44, 51, 60
IPV4_HEADER, IPV6_HEADER = 20, 40

_SKIPPED = {HOP_BY_HOP, ROUTING, DESTINATION, AUTHENTICATION}


def fault(packet: Bytes) -> str | None:
    """Return why this is not exactly one IP packet of its own stated length, or None if it is.

    The reasons: empty, version, short_header, header_length, length_mismatch.
    """
    size = len(packet)
    if not size:
        return "empty"
    version = packet[0] >> 4
    if version == 4:
        if size < IPV4_HEADER:
            return "short_header"
        if not IPV4_HEADER <= (packet[0] & 15) * 4 <= size:
            return "header_length"
        return None if (packet[2] << 8 | packet[3]) == size else "length_mismatch"
    if version == 6:
        if size < IPV6_HEADER:
            return "short_header"
        return None if (packet[4] << 8 | packet[5]) + IPV6_HEADER == size else "length_mismatch"
    return "version"


@dataclass(frozen=True, slots=True)
class Header:
    """What an IP header says, with IPv6 extension headers already skipped. Offsets are in bytes."""

    source: bytes
    destination: bytes
    protocol: int
    payload_at: int
    fragment_at: int = 0
    more_fragments: bool = False


def stated_length(beginning: Bytes) -> int | None:
    """Return the length that an IP packet states in its first bytes, or None if no IP packet begins so."""
    size = len(beginning)
    if size >= IPV4_HEADER and beginning[0] >> 4 == 4 and beginning[0] & 15 >= 5:
        return beginning[2] << 8 | beginning[3]
    if size >= IPV6_HEADER and beginning[0] >> 4 == 6:
        return (beginning[4] << 8 | beginning[5]) + IPV6_HEADER
    return None


def parse(packet: Bytes) -> Header:
    """Return the header of a packet. Raise ValueError if it has a fault."""
    if reason := fault(packet):
        raise ValueError(f"not one IP packet: {reason}")
    return header_of(packet)


def header_of(packet: Bytes) -> Header:
    """Return the header of a packet that states a length, though not all of it may be here."""
    if packet[0] >> 4 == 6:
        return _parse_ipv6(packet)
    (fragment,) = struct.unpack_from("!H", packet, 6)
    return Header(
        source=bytes(packet[12:16]),
        destination=bytes(packet[16:20]),
        protocol=packet[9],
        payload_at=(packet[0] & 15) * 4,
        fragment_at=(fragment & 0x1FFF) * 8,
        more_fragments=bool(fragment & 0x2000),
    )


def _parse_ipv6(packet: Bytes) -> Header:
    """Follow the chain of extension headers; one that is cut short counts as the payload."""
    protocol, at = packet[6], IPV6_HEADER
    fragment_at, more = 0, False
    while at + 8 <= len(packet) and fragment_at == 0:
        if protocol == FRAGMENT:
            (fragment,) = struct.unpack_from("!H", packet, at + 2)
            fragment_at, more = fragment & 0xFFF8, bool(fragment & 1)
            length = 8
        elif protocol in _SKIPPED:
            # RFC 4302 2.2: the authentication header counts in 4-byte units, all others in 8-byte units.
            length = (packet[at + 1] + 2) * 4 if protocol == AUTHENTICATION else (packet[at + 1] + 1) * 8
        else:
            break
        if at + length > len(packet):
            break
        protocol, at = packet[at], at + length
    return Header(bytes(packet[8:24]), bytes(packet[24:40]), protocol, at, fragment_at, more)


def checksum(data: Bytes) -> int:
    """Return the Internet checksum (RFC 1071) of `data`, an odd last byte padded on the right."""
    # Modulo 65535, 65536 is 1: the number that all the bytes make together is congruent to the sum of its words.
    total = int.from_bytes(data, "big") << 8 * (len(data) % 2)
    return -total % 65535 if total else 0xFFFF
