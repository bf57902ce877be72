"""The headers of the packets that one superframe stands for, all at once.

`split` fills them in; `coalesce` fills them in elsewhere and looks whether packets that came have the same.
So both agree on what belongs together: lengths, ids that count on, sequence numbers that go on by the
payload, FIN and PSH on the last packet only, CWR on the first only. Checksums of TCP and UDP are not filled
in, for they take the payload.

Where the fields are depends on little, and is the same for most frames of a flow. So an arrangement of
views into one memory is kept and filled again and again: to make views takes longer than to use them.
"""

from __future__ import annotations

import numpy as np

from labctl.engine.batches.checksums import Rows
from labctl.engine.packets.ip import TCP, checksum
from labctl.engine.packets.layout import CWR, FIN_PSH, Layout


class Headers:
    """The headers of the packets of `count` trains of one kind, in the rows of `trains`: train, packet, byte.

    From packet to packet each word grows by a constant: the one with the id by 1 in its upper half, the one with
    the IPv4 checksum by -1, the sequence number by the payload. What a shorter last packet says of its length
    differs from the others by a constant, too. So one addition of a table that is made once fills in everything.
    """

    def __init__(self, trains: Rows, layout: Layout, size: int, last: int) -> None:
        version, protocol, l4, head = self._layout = layout
        count, number, less = len(trains), trains.shape[1], size - last
        self._trains = trains
        self._words = trains[:, :, :head].view(">u4")
        self._lengths = [(at, length.to_bytes(2, "big")) for at, length in layout.lengths(size)]
        # An IPv4 checksum in this range counts down to the last packet's, and grows by `less`, without a carry.
        self._calm = range(number, 0xFFFF - less)
        self._template = bytearray(count * head)
        self._base = np.frombuffer(self._template, ">u4").reshape(count, 1, head // 4)

        grown = np.zeros((number, head // 4), np.int64)
        numbers = np.arange(number)
        if version == 4:
            grown[:, 1] = numbers << 16
            grown[:, 2] = -numbers
            grown[-1, 0] -= less
            grown[-1, 2] += less
        else:
            grown[-1, 1] -= less << 16
        if protocol == TCP:
            grown[:, l4 // 4 + 1] = numbers * (size - head)
        else:
            grown[-1, l4 // 4 + 1] -= less << 16
        self._growth = grown.astype(np.uint32)

    def fill(self, firsts: list[bytearray]) -> None:
        """Fill in what follows from the headers of each train's first packet, or from those of all in one."""
        version, protocol, l4, _ = self._layout
        number, unusual = self._trains.shape[1], []
        for index, first in enumerate(firsts):
            for at, length in self._lengths:
                first[at : at + 2] = length
            flags, calm = 0, True
            if version == 4:
                first[10:12] = b"\0\0"
                check = checksum(first[: (first[0] & 15) * 4])
                first[10:12] = check.to_bytes(2, "big")
                calm = check in self._calm and (first[4] << 8 | first[5]) + number <= 0x10000
            if protocol == TCP:
                flags = first[l4 + 13] & (FIN_PSH | CWR)
                first[l4 + 13] ^= flags
            if flags or not calm:
                unusual.append((first, self._trains[index], flags, calm))
        self._template[:] = b"".join(firsts)
        np.add(self._base, self._growth, self._words)
        for first, rows, flags, calm in unusual:
            if flags:
                rows[0, l4 + 13] |= flags & CWR
                rows[-1, l4 + 13] |= flags & FIN_PSH
            if not calm:
                _settle_checksums(first, rows)


def _settle_checksums(first: bytearray, rows: Rows) -> None:
    """Correct the ids and IPv4 checksums of a train in which one of them wraps around."""
    header = (first[0] & 15) * 4
    for row in rows:
        whole = bytearray(row[:header])
        # A carry out of the checksum, or of the id, went into the field beside it.
        whole[8:12] = first[8:10] + b"\0\0"
        whole[10:12] = checksum(whole).to_bytes(2, "big")
        row[8:12] = tuple(whole[8:12])
