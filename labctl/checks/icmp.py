"""ICMP echo as bytes (RFC 792; RFC 4443, section 4): the request that is sent, and the reply that comes back.

A raw socket shows an IPv4 packet with its IP header, and whatever its checksum says (raw(7)); of ICMPv6 it shows the
message alone, and the kernel fills in and verifies the checksum (RFC 3542, section 3.1).

The requests of checks say whose they are, so whoever sees them tells them from those of a person or a program.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from labctl.engine.packets.ip import checksum

_HEADER = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence
_REQUEST = {4: 8, 6: 128}
REPLY = {4: 0, 6: 129}
MARK = b"labctl"
"""With what the payload of the echo requests of checks begins, and of the replies to them."""


@dataclass(frozen=True)
class Echo:
    """What a request says and its reply repeats."""

    identifier: int
    sequence: int
    payload: bytes


def request(version: int, echo: Echo) -> bytes:
    """Return an echo request as a raw socket of that IP version takes it."""
    first = _HEADER.pack(_REQUEST[version], 0, 0, echo.identifier, echo.sequence) + echo.payload
    return first if version == 6 else first[:2] + checksum(first).to_bytes(2, "big") + first[4:]


def reply(version: int, shown: bytes) -> Echo | None:
    """Return what an echo reply repeats, from what a raw socket showed; None if it is something else, or damaged."""
    message = shown if version == 6 else shown[(shown[0] & 15) * 4 :] if shown else b""
    if len(message) < _HEADER.size:
        return None
    kind, code, _, identifier, sequence = _HEADER.unpack_from(message)
    if (kind, code) != (REPLY[version], 0) or (version == 4 and checksum(message)):
        return None
    return Echo(identifier, sequence, message[_HEADER.size :])
