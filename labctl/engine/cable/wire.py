"""What a datagram of a cable is: eight bytes in the clear, then what is sealed, and behind it the tag of 16 bytes.

     0      1          3                8
    +------+----------+----------------+------------------+-------+
    | kind | argument | counter        | body             | tag   |
    +------+----------+----------------+------------------+-------+

A frame that fits is one datagram (LONE), whose argument says where a checksum is still to be computed, as the header of
virtio does: where to begin, and how far behind that to store it. Whatever does not fit, superframes above all, is a
*record*: the frame behind its virtio header, cut into pieces (PIECE, the last of them LAST) that have consecutive
counters and their index as argument. So a superframe of 64 KB is sealed in pieces as large as the path takes, whatever
the size of the packets that it stands for.

A BEAT says that its sender is there, and is padded to find out how large a datagram arrives.

The nonce of the seal is the eight bytes: each is used once, since the counter only grows, and a changed kind or
argument is as little authentic as a changed body.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from labctl.engine.packets import vnet
from labctl.engine.packets.train import Bytes

BEAT, LONE, PIECE, LAST = range(4)

HEADER, TAG = 8, 16
SEAL = HEADER + TAG
"""Bytes of a datagram that are not body."""

ETHERNET = 14
UDP_AND_IP = {4: 8 + 20, 6: 8 + 40}
"""Bytes in front of a datagram, by IP version."""

LAST_COUNTER = (1 << 40) - 1
"""The counter of the last datagram that one key seals: at 1448 bytes a datagram more than a petabyte."""

LARGEST_RECORD = vnet.SIZE + ETHERNET + 4 + 65535
MOST_PIECES = 256
"""Pieces of a record: no path is so small that it takes more."""


_VNET = struct.Struct("<BBHHHH")  # as `vnet.LAYOUT`, whatever the machine


def overhead(version: int) -> int:
    """Return by how many bytes an MTU within a cable is below that of its path, of this IP version, without pieces."""
    return ETHERNET + SEAL + UDP_AND_IP[version]


def packed(kind: int, argument: int, counter: int) -> bytes:
    """Return the first eight bytes of a datagram."""
    return (kind << 56 | argument << 40 | counter).to_bytes(HEADER, "big")


def unpacked(header: Bytes) -> tuple[int, int, int]:
    """Return kind, argument and counter."""
    word = int.from_bytes(header, "big")
    return word >> 56, word >> 40 & 0xFFFF, word & LAST_COUNTER


def lone_argument(header: Bytes) -> int | None:
    """Return what a LONE datagram says of a frame with this virtio header, None if only a record can say it."""
    flags, gso_type, _, _, start, offset = _VNET.unpack_from(header)
    if gso_type != vnet.NONE:
        return None
    if not flags & vnet.NEEDS_CSUM:
        return 0
    return start << 8 | offset if 0 < start < 256 and offset < 256 else None


def header_of_lone(argument: int) -> bytes:
    """Return the virtio header of a frame that came as LONE."""
    if not argument:
        return vnet.EMPTY
    return _VNET.pack(vnet.NEEDS_CSUM, vnet.NONE, 0, 0, argument >> 8, argument & 0xFF)


NEXT = (1 << 40) + 1
"""What the first eight bytes of the next piece have more, as a number: one index and one counter."""

NEXT_IS_LAST = NEXT + (LAST - PIECE << 56)


def headers_of_record(first: int, number: int) -> list[bytes]:
    """Return the first eight bytes of the datagrams that carry a record in `number` pieces, from this counter on."""
    word = PIECE << 56 | first
    words = range(word, word + number * NEXT, NEXT)
    return [each.to_bytes(HEADER, "big") for each in words[:-1]] + [packed(LAST, number - 1, first + number - 1)]


_BEAT = struct.Struct(">BHQQIQ")
LINK_UP, HEARS_YOU, SEARCHES, ASKS = 1, 2, 4, 8
"""The interface is up; the other end is heard; its size is being searched; this beat is to be answered at once."""
SMALLEST_BEAT = SEAL + _BEAT.size


class Beat(NamedTuple):
    """What a beat says; times are in microseconds."""

    flags: int
    largest: int  # the size of the largest datagram of the other end that came lately, in bytes
    stamp: int  # the clock of the sender
    echo: int  # the stamp of the other end that came last, 0 for none
    held: int  # and for how long it has been here
    sent: int  # how many datagrams with frames were sent so far

    def padded(self, datagram: int) -> bytes:
        """Return the body that makes a datagram of this size."""
        return _BEAT.pack(*self).ljust(datagram - SEAL, b"\0")

    @classmethod
    def of(cls, body: bytes) -> Beat:
        """Return what a body says. Raise ValueError if it is no beat."""
        try:
            return cls(*_BEAT.unpack_from(body))
        except struct.error as error:
            raise ValueError(str(error)) from None
