"""Packets for tests, built field by field."""

from __future__ import annotations

import ipaddress
import struct

from labctl.engine.packets.ip import checksum


def ipv4(
    source: str, destination: str, protocol: int, payload: bytes, *, fragment: int = 0, options: bytes = b""
) -> bytes:
    """An IPv4 packet with a right header checksum; `fragment` is the field of flags and offset."""
    words = 5 + len(options) // 4
    fields = [
        0x40 | words,
        0,
        words * 4 + len(payload),
        1,
        fragment,
        64,
        protocol,
        0,
        packed(source),
        packed(destination),
    ]
    bare = struct.pack("!BBHHHBBH4s4s", *fields) + options
    fields[7] = checksum(bare)
    return struct.pack("!BBHHHBBH4s4s", *fields) + options + payload


def ipv6(source: str, destination: str, protocol: int, payload: bytes) -> bytes:
    """An IPv6 packet; extension headers are part of the payload."""
    return (
        struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, 64, packed(source), packed(destination)) + payload
    )


def udp(source_port: int, destination_port: int, data: bytes = b"") -> bytes:
    """A UDP header without a checksum, and its data."""
    return struct.pack("!HHHH", source_port, destination_port, 8 + len(data), 0) + data


def tcp(source_port: int, destination_port: int, flags: int) -> bytes:
    """A bare TCP header."""
    return struct.pack("!HHIIBBHHH", source_port, destination_port, 1, 0, 0x50, flags, 1024, 0, 0)


def echo_request(data: bytes = b"x" * 56) -> bytes:
    """An ICMP echo request, its checksum right."""
    bare = struct.pack("!BBHHH", 8, 0, 0, 7, 1) + data
    return struct.pack("!BBHHH", 8, 0, checksum(bare), 7, 1) + data


def packed(host: str) -> bytes:
    return ipaddress.ip_address(host).packed


PING = ipv4("10.0.101.1", "10.0.102.1", 1, echo_request())
