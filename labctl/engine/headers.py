"""The headers of the packets that one superframe stands for, all at once.

`split` fills them in; `coalesce` fills them in elsewhere and looks whether packets that came have the same.
So both agree on what belongs together: lengths, ids that count on, sequence numbers that go on by the
payload, FIN and PSH on the last packet only, CWR on the first only. Checksums of TCP and UDP are not filled
in, for they take the payload.

Where the fields are depends on little, and is the same for most frames of a flow. So an arrangement of
views into one memory is kept and filled again and again: to make views takes longer than to use them.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from labctl.engine.numeric import np
from labctl.engine.packet import IPV6_HEADER, TCP, UDP, checksum
from labctl.engine.sums import Rows
from labctl.engine.train import Bytes

CSUM_OFFSETS = {TCP: 16, UDP: 6}
FIN_PSH, CWR = 0x09, 0x80


class Layout(NamedTuple):
    """Where the headers of a packet end, and what they are."""

    version: int
    protocol: int
    l4: int
    head: int

    @property
    def check(self) -> int:
        """Where the checksum of TCP or UDP is."""
        return self.l4 + CSUM_OFFSETS[self.protocol]

    @property
    def addresses(self) -> int:
        """Where the addresses begin. Without IPv4 options and IPv6 extension headers they end at `l4`."""
        return 12 if self.version == 4 else 8

    def lengths(self, size: int) -> list[tuple[int, int]]:
        """Where a packet of this size states a length, and which."""
        stated = [(2, size) if self.version == 4 else (4, size - IPV6_HEADER)]
        return [*stated, (self.l4 + 4, size - self.l4)] if self.protocol == UDP else stated


class Headers:
    """The headers at the beginning of rows; row 0 is the first packet.

    All headers are whole 32-bit words, and from row to row each word grows by a constant: the one with the
    id by 1 in its upper half, the one with the IPv4 checksum by -1, the sequence number by the payload. So
    one addition of a table that is made once fills in everything.
    """

    def __init__(self, rows: Rows, layout: Layout, size: int) -> None:
        self._layout = layout
        self._size = size
        self._rows = rows
        self._words = rows[:, : layout.head].view(">u4")
        self._growth = np.zeros(self._words.shape, np.uint32)
        numbers = np.arange(len(rows), dtype=np.uint32)
        if layout.version == 4:
            self._growth[:, 1] = numbers << np.uint32(16)
            self._growth[:, 2] = -numbers
        if layout.protocol == TCP:
            self._growth[:, layout.l4 // 4 + 1] = numbers * np.uint32(size - layout.head)

    def fill(self, first: Bytes, last: int) -> None:
        """Fill in what follows from the headers of the first packet (or of all) and the size of the last."""
        layout, rows, flags = self._layout, self._rows, 0
        template = bytearray(first)
        for at, length in layout.lengths(self._size):
            struct.pack_into("!H", template, at, length)
        if layout.version == 4:
            template[10:12] = b"\0\0"
            struct.pack_into("!H", template, 10, checksum(template[: (template[0] & 15) * 4]))
        if layout.protocol == TCP:
            at_flags = layout.l4 + 13
            flags = template[at_flags]
            template[at_flags] = flags & ~(FIN_PSH | CWR)
        np.add(np.frombuffer(template, ">u4"), self._growth, out=self._words)
        if last != self._size:
            for at, length in layout.lengths(last):
                rows[-1, at], rows[-1, at + 1] = length >> 8, length & 0xFF
        if flags & (FIN_PSH | CWR):
            rows[0, at_flags] |= flags & CWR
            rows[-1, at_flags] |= flags & FIN_PSH
        if layout.version == 4:
            self._settle_checksums(template, last)

    def _settle_checksums(self, template: bytearray, last: int) -> None:
        """Set right those IPv4 checksums that do not just count down: behind a wrap, and a shorter last."""
        number = len(self._rows)
        first_id, check = struct.unpack_from("!H4xH", template, 4)
        if first_id + number > 0x10000 or check < number:
            odd: Iterable[int] = range(number)
        else:
            odd = (number - 1,) if last != self._size else ()
        header = (template[0] & 15) * 4
        for at in odd:
            row = bytearray(self._rows[at, :header])
            row[8:12] = template[8:10] + b"\0\0"
            row[10:12] = checksum(row).to_bytes(2, "big")
            self._rows[at, 8:12] = row[8], row[9], row[10], row[11]
