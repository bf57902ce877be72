"""What is one IP packet, and what the line about it says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.packets.describe import describe
from labctl.engine.packets.ip import checksum, fault, parse

from .samples import PING, echo_request, ipv4, ipv6, tcp, udp

PING6 = ipv6("fd00::1", "fd00::2", 58, b"\x80" + bytes(15))


@pytest.mark.parametrize("packet", [PING, PING6, ipv4("10.0.0.1", "10.0.0.2", 17, udp(1, 2), options=bytes(8))])
def test_a_whole_packet_has_no_fault_and_every_cut_of_it_has_one(packet: bytes) -> None:
    assert fault(packet) is None
    assert all(fault(packet[:length]) for length in range(len(packet)))
    assert fault(packet + b"\0") == "length_mismatch"


@pytest.mark.parametrize(
    ("reason", "packet"),
    [
        ("empty", b""),
        ("version", b"\x50" + PING[1:]),
        ("short_header", PING[:19]),
        ("short_header", PING6[:39]),
        ("header_length", b"\x44" + PING[1:]),
        ("header_length", ipv4("10.0.0.1", "10.0.0.2", 1, b"").replace(b"\x45", b"\x46", 1)),
        ("length_mismatch", PING[:-1]),
        ("length_mismatch", PING6 + PING6),
    ],
)
def test_a_fault_is_named(reason: str, packet: bytes) -> None:
    assert fault(packet) == reason


def test_a_packet_with_a_fault_is_not_parsed() -> None:
    with pytest.raises(ValueError, match="short_header"):
        parse(PING[:10])


def test_extension_headers_are_skipped() -> None:
    hop_by_hop = bytes([44, 1]) + bytes(14)
    fragment = bytes([51, 0, 0x05, 0x01]) + bytes(4)
    authentication = bytes([17, 4]) + bytes(22)
    first = parse(
        ipv6("fd00::1", "fd00::2", 0, hop_by_hop + bytes([51, 0, 0, 1]) + bytes(4) + authentication + udp(1, 2))
    )
    assert (first.protocol, first.payload_at, first.fragment_at, first.more_fragments) == (17, 88, 0, True)
    later = parse(ipv6("fd00::1", "fd00::2", 0, hop_by_hop + fragment + bytes(24)))
    assert (later.protocol, later.fragment_at, later.more_fragments) == (51, 0x0500, True)


@given(st.binary(max_size=200))
def test_checksum_agrees_with_the_rfc_word_by_word(data: bytes) -> None:
    total = 0
    for at, byte in enumerate(data):
        total += byte << (8 if at % 2 == 0 else 0)
        total = (total & 0xFFFF) + (total >> 16)
    assert checksum(data) == ~total & 0xFFFF


@pytest.mark.parametrize(
    ("line", "packet"),
    [
        ("10.0.101.1 > 10.0.102.1 ICMP echo request, 84 bytes", PING),
        ("10.0.0.1 > 10.0.0.2 ICMP type 77, 24 bytes", ipv4("10.0.0.1", "10.0.0.2", 1, b"\x4d\0\0\0")),
        (
            "10.0.0.1:40000 > 10.0.0.2:80 TCP SYN, 40 bytes",
            ipv4("10.0.0.1", "10.0.0.2", 6, tcp(40000, 80, 2)),
        ),
        ("10.0.0.1:80 > 10.0.0.2:9 TCP SYN ACK, 40 bytes", ipv4("10.0.0.1", "10.0.0.2", 6, tcp(80, 9, 18))),
        (
            "10.0.0.1:1 > 10.0.0.2:2 UDP, 39 bytes",
            ipv4("10.0.0.1", "10.0.0.2", 17, udp(1, 2, b"Hello World")),
        ),
        ("10.0.0.1 > 10.0.0.2 UDP, 20 bytes", ipv4("10.0.0.1", "10.0.0.2", 17, b"")),
        ("10.0.0.1 > 10.0.0.2 ICMP, 20 bytes", ipv4("10.0.0.1", "10.0.0.2", 1, b"")),
        (
            "10.0.0.1 > 10.0.0.2 ICMP echo request first fragment, 84 bytes",
            ipv4("10.0.0.1", "10.0.0.2", 1, echo_request(), fragment=0x2000),
        ),
        (
            "10.0.0.1 > 10.0.0.2 UDP fragment at 1480, 28 bytes",
            ipv4("10.0.0.1", "10.0.0.2", 17, bytes(8), fragment=185),
        ),
        ("10.0.0.1 > 10.0.0.2 protocol 200, 20 bytes", ipv4("10.0.0.1", "10.0.0.2", 200, b"")),
        ("fd00::1 > fd00::2 ICMPv6 echo request, 56 bytes", PING6),
        (
            "fe80::1 > ff02::2 ICMPv6 router solicitation, 48 bytes",
            ipv6("fe80::1", "ff02::2", 58, b"\x85" + bytes(7)),
        ),
        (
            "fe80::1 > fe80::2 ICMPv6 neighbour advertisement, 64 bytes",
            ipv6("fe80::1", "fe80::2", 58, b"\x88" + bytes(23)),
        ),
        ("[fd00::1]:1 > [fd00::2]:2 UDP, 48 bytes", ipv6("fd00::1", "fd00::2", 17, udp(1, 2))),
        ("malformed (empty), 0 bytes", b""),
        ("malformed (length mismatch), 83 bytes", PING[:-1]),
    ],
)
def test_a_line_says_who_to_whom_what_and_how_long(line: str, packet: bytes) -> None:
    assert describe(packet) == line


@given(st.integers(0, 255), st.binary(max_size=120), st.integers(0, 0xFFFF))
def test_every_packet_has_a_line(protocol: int, payload: bytes, fragment: int) -> None:
    for packet in (
        ipv4("10.0.0.1", "10.0.0.2", protocol, payload, fragment=fragment),
        ipv6("fd00::1", "fd00::2", protocol, payload),
    ):
        assert re.fullmatch(r"\S+ > \S+ .+, \d+ bytes", describe(packet))


@given(st.binary(max_size=200))
def test_whatever_the_bytes_are_there_is_one_line(data: bytes) -> None:
    assert re.fullmatch(r".+, \d+ bytes", describe(data))
