"""A train: packets of one size behind one another in memory, the last of them perhaps shorter.

This is the form of the kernel's offloads. UDP_SEGMENT sends such a row of bytes as many datagrams with one
call, UDP_GRO receives one, a TCP superframe becomes one when it is split, and can be made of one. So
everything that crosses the engine is a train; a single packet is a train of one. What a train means does
not depend on how it came: it is always the same as its packets one by one.

Its bytes belong to the port that it came from and are valid until that port receives again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

Bytes = bytes | bytearray | memoryview

# What one call with UDP_SEGMENT takes: UDP_MAX_SEGMENTS of older kernels, and the bytes that still arrive
# as one train (the length of the whole datagram with its headers is a 16-bit number, less where it is IPv6).
MOST_PACKETS = 64
MOST_BYTES = 65535 - 40 - 8


class Train(NamedTuple):
    """`number` packets of `size` bytes each, the last being what is left of `data`."""

    data: Bytes
    size: int
    number: int
    # In how many parts they came, each with as many packets: frames of the TUN device, which its interface counts,
    # or trains that were received. Packets of one part most likely have one header.
    parts: int = 1
    # The ECN field of the datagrams that brought it, where that concerns its packets (`ecn`).
    ecn: int = 0

    @classmethod
    def of(cls, packet: Bytes) -> Train:
        """Return the train of one packet."""
        return cls(packet, len(packet), 1)

    def packets(self) -> Iterator[Bytes]:
        """Yield the packets one by one, in order."""
        if self.number == 1:
            yield self.data
            return
        for at in range(0, self.size * self.number, self.size):
            yield self.data[at : at + self.size]

    def singles(self) -> Iterator[Train]:
        """Return a train of one for each packet."""
        return map(Train.of, self.packets())

    def part(self, first: int, number: int) -> Train:
        """Return `number` packets, from the one at index `first` on."""
        return Train(self.data[first * self.size : (first + number) * self.size], self.size, number)

    def sendable(self) -> Iterator[Train]:
        """Yield trains that one call with UDP_SEGMENT takes."""
        most = min(MOST_PACKETS, max(1, MOST_BYTES // max(1, self.size)))
        if self.number <= most:
            yield self
            return
        for first in range(0, self.number, most):
            yield self.part(first, min(most, self.number - first))
