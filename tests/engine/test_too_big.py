"""What is answered to a packet that is too big: a message that the sender's kernel would believe."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.packets.ip import fault, parse
from labctl.engine.packets.too_big import answer, may_fragment

from .oracle import ones_sum
from .samples import echo_request, ipv4, ipv6, packed, udp

DF = 0x4000


@given(st.integers(68, 65535), st.binary(min_size=1300, max_size=3000))
def test_the_ipv4_answer_is_right_and_quotes_the_packet(mtu: int, data: bytes) -> None:
    packet = ipv4("10.0.101.1", "10.0.102.1", 17, udp(1, 2, data), fragment=DF)
    message = answer(packet, mtu)
    assert message is not None and fault(message) is None and len(message) <= 576
    header = parse(message)
    assert (header.source, header.destination, header.protocol) == (packet[16:20], packet[12:16], 1)
    assert ones_sum(message[:20]) == ones_sum(message[20:]) == 0xFFFF
    assert struct.unpack_from("!BB2xHH", message, 20) == (3, 4, 0, mtu)
    assert packet.startswith(message[28:])


@given(st.integers(68, 65535), st.binary(min_size=1300, max_size=3000))
def test_the_ipv6_answer_is_right_and_quotes_the_packet(mtu: int, data: bytes) -> None:
    packet = ipv6("fd00::1", "fd00::2", 17, udp(1, 2, data))
    message = answer(packet, mtu)
    assert message is not None and fault(message) is None and len(message) <= 1280
    header = parse(message)
    assert (header.source, header.destination, header.protocol) == (packet[24:40], packet[8:24], 58)
    pseudo = message[8:40] + struct.pack("!II", len(message) - 40, 58)
    assert ones_sum(pseudo + message[40:]) == 0xFFFF
    assert struct.unpack_from("!BB2xI", message, 40) == (2, 0, max(mtu, 1280))
    assert packet.startswith(message[48:])


@pytest.mark.parametrize(
    "packet",
    [
        ipv4("10.0.0.1", "10.0.0.2", 1, b"\x03\x04" + bytes(6), fragment=DF),
        ipv4("10.0.0.1", "10.0.0.2", 17, bytes(99), fragment=DF | 1),
        ipv4("10.0.0.1", "224.0.0.1", 17, bytes(99), fragment=DF),
        ipv4("0.0.0.0", "10.0.0.2", 17, bytes(99), fragment=DF),
        ipv4("10.0.0.1", "255.255.255.255", 17, bytes(99), fragment=DF),
        ipv6("fd00::1", "fd00::2", 58, b"\x02" + bytes(1400)),
        ipv6("fd00::1", "ff02::1", 17, bytes(1400)),
        ipv6("::", "fd00::2", 17, bytes(1400)),
    ],
)
def test_no_answer_is_given_where_none_may_be(packet: bytes) -> None:
    assert answer(packet, 1400) is None


@pytest.mark.parametrize(
    ("packet", "fragments"),
    [
        (ipv4("10.0.0.1", "10.0.0.2", 1, echo_request(bytes(1400))), True),
        (ipv4("10.0.0.1", "10.0.0.2", 1, echo_request(bytes(1400)), fragment=DF), False),
        (ipv6("fd00::1", "fd00::2", 17, bytes(1240)), True),
        (ipv6("fd00::1", "fd00::2", 17, bytes(1241)), False),
    ],
)
def test_what_may_arrive_in_fragments(packet: bytes, fragments: bool) -> None:
    assert may_fragment(packet) is fragments


@given(
    st.sampled_from(["10.0.0.1", "224.0.0.1", "0.0.0.0", "127.0.0.1"]),
    st.integers(0, 255),
    st.integers(0, 0xFFFF),
    st.binary(max_size=80),
)
def test_every_packet_without_a_fault_is_answered_or_not_but_never_an_exception(
    host: str, protocol: int, fragment: int, data: bytes
) -> None:
    for packet in (
        ipv4(host, "10.0.0.2", protocol, data, fragment=fragment),
        ipv6("fd00::1", "fd00::2", protocol, data),
    ):
        message = answer(packet, 1400)
        assert message is None or fault(message) is None
        may_fragment(packet)
    assert packed(host)
