"""ICMP echo as bytes (RFC 792; RFC 4443, section 4): the request that is sent, and the reply that comes back.

A raw socket shows an IPv4 packet with its IP header, and whatever its checksum says (raw(7)); of ICMPv6 it shows the
message alone, and the kernel fills in and verifies the checksum (RFC 3542, section 3.1).

The requests of checks say whose they are, so whoever sees them tells them from those of a person or a program.
"""

from __future__ import annotations

import struct

from labctl.engine.packets.ip import checksum
from labctl.frozen import frozen

_HEADER = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence
_REQUEST = {4: 8, 6: 128}
REPLY = {4: 0, 6: 129}
MARK = b"labctl"
"""With what the payload of the echo requests of checks begins, and of the replies to them."""


@frozen
class Echo:
    """What a request says and its reply repeats."""

    identifier: int
    sequence: int
    payload: bytes


def request(version: int, echo: Echo) -> bytes:
    """Return an echo request as a raw socket of that IP version takes it."""
    first = _HEADER.pack(_REQUEST[version], 0, 0, echo.identifier, echo.sequence) + echo.payload
    return first if version == 6 else first[:2] + checksum(first).to_bytes(2, "big") + first[4:]


def of_identifier(version: int, identifier: int) -> bytes:
    """Return a classic BPF program that accepts what has an identifier, of the messages that a raw socket shows."""
    # A message begins where the header of IPv4 ends: X = 4 * ([0] & 15), A = [X + 4]; of ICMPv6 at once: A = [4].
    load = ((0xB1, 0, 0, 0), (0x48, 0, 0, 4)) if version == 4 else ((0x28, 0, 0, 4),)
    # Are they equal? All of it, or nothing (linux/bpf_common.h: BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K).
    compare = ((0x15, 0, 1, identifier), (0x06, 0, 0, 0xFFFFFFFF), (0x06, 0, 0, 0))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in (*load, *compare))


def reply(version: int, shown: bytes) -> Echo | None:
    """Return what an echo reply repeats, from what a raw socket showed; None if it is something else, or damaged."""
    message = shown if version == 6 else shown[(shown[0] & 15) * 4 :] if shown else b""
    if len(message) < _HEADER.size:
        return None
    kind, code, _, identifier, sequence = _HEADER.unpack_from(message)
    if (kind, code) != (REPLY[version], 0) or (version == 4 and checksum(message)):
        return None
    return Echo(identifier, sequence, message[_HEADER.size :])
