"""ICMP echo as bytes: what is sent, and what counts as the reply to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.checks import icmp
from labctl.checks.icmp import Echo

# A request and its reply as ping(8) of iputils and the kernel exchange them over lo, with 8 bytes of payload.
REQUEST = bytes.fromhex("0800 b532 0007 0001 6c61 6263 7400 0000")
REPLY = bytes.fromhex("0000 bd32 0007 0001 6c61 6263 7400 0000")
IP_HEADER = bytes.fromhex("4500 0024 a1e9 0000 4001 daed 7f00 0001 7f00 0001")
OPTIONS = bytes.fromhex("4600 0028 a1e9 0000 4001 0000 7f00 0001 7f00 0001 0101 0101")
ECHO = Echo(7, 1, b"labct\0\0\0")
ECHOES = st.builds(Echo, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary(max_size=70))


def ones_complement(data: bytes) -> int:
    """The checksum of RFC 1071, word by word."""
    total = sum(int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def answer(version: int, request: bytes) -> bytes:
    """What the kernel of the other side makes of a request, as a raw socket shows it."""
    kind = icmp.REPLY[version].to_bytes(1, "big")
    if version == 6:
        return kind + request[1:]
    message = kind + b"\0\0\0" + request[4:]
    return IP_HEADER + message[:2] + ones_complement(message).to_bytes(2, "big") + message[4:]


def test_a_request_is_what_everybody_sends() -> None:
    assert icmp.request(4, ECHO) == REQUEST
    assert icmp.request(6, ECHO) == bytes.fromhex("8000 0000") + REQUEST[4:]  # the kernel fills in the checksum


@pytest.mark.parametrize("header", [IP_HEADER, OPTIONS], ids=["plain", "options"])
def test_a_reply_is_read_behind_any_ip_header(header: bytes) -> None:
    assert icmp.reply(4, header + REPLY) == ECHO


@given(ECHOES, st.sampled_from([4, 6]))
def test_every_request_is_found_again_in_its_reply(echo: Echo, version: int) -> None:
    request = icmp.request(version, echo)
    assert version == 6 or ones_complement(request) == 0
    assert icmp.reply(version, answer(version, request)) == echo
    assert icmp.reply(version, (IP_HEADER if version == 4 else b"") + request) is None, "a request is no reply"


@given(ECHOES, st.integers(min_value=0))
def test_one_damaged_bit_is_no_reply(echo: Echo, which: int) -> None:
    shown = bytearray(answer(4, icmp.request(4, echo)))
    at = len(IP_HEADER) * 8 + which % ((len(shown) - len(IP_HEADER)) * 8)
    shown[at // 8] ^= 1 << at % 8
    assert icmp.reply(4, bytes(shown)) is None


@given(st.binary(max_size=60), st.sampled_from([4, 6]))
def test_no_bytes_are_too_strange(shown: bytes, version: int) -> None:
    icmp.reply(version, shown)


@pytest.mark.parametrize("length", range(len(IP_HEADER) + len(REPLY)))
def test_a_part_of_a_reply_is_not_it(length: int) -> None:
    assert icmp.reply(4, (IP_HEADER + REPLY)[:length]) != ECHO
