"""What `packets.split` makes of a superframe and of an unfinished packet, for many that are alike at once.

The rows of an array are the packets: `headers` fills in their headers, and sums are taken of all rows together.
"""

from __future__ import annotations

import numpy as np

from labctl.engine.batches.checksums import Rows, Words, field, finished, folded, native, row_sums
from labctl.engine.batches.headers import Headers
from labctl.engine.packets import split
from labctl.engine.packets.ip import UDP
from labctl.engine.packets.layout import CSUM_OFFSETS, Layout
from labctl.engine.packets.train import Bytes, Train
from labctl.engine.packets.vnet import UDP_L4, VnetHeader

# Below this, numpy takes longer to begin than plain arithmetic to end.
_SMALL = 2048
# Arrangements are kept for as many kinds of frames. What is dropped is only made again.
_KEPT = 64


def kind_of(frame: Bytes, header: VnetHeader) -> bytes:
    """Return all that `split.layout_of` reads of a frame: its first byte, and the data offset of TCP."""
    offset = header.csum_start + 12
    return bytes(frame[:1]) if header.gso_type == UDP_L4 else bytes(frame[: offset + 1 : offset])


class _Cut:
    """The arrangement for `count` frames of one layout, length and payload size: rows, and views of them."""

    def __init__(self, memory: memoryview, layout: Layout, length: int, step: int, count: int) -> None:
        head, l4 = layout.head, layout.l4
        number, size = -(-(length - head) // step), head + step
        last = length - (number - 1) * step
        whole = number if last == size else number - 1
        self._layout, self._step, self._short = layout, step, last < size
        stride, used = number * size, (number - 1) * size + last
        self.trains = [Train(memory[at : at + used], size, number) for at in range(0, count * stride, stride)]

        rows = np.frombuffer(memory, np.uint8)[: count * stride].reshape(count, number, size)
        self._payload, self._whole = rows[:, :whole, head:], slice(head, head + whole * step)
        self._tail, self._rest = rows[:, -1, head:last], slice(head + whole * step, length)
        self._padding = rows[:, -1, last:]
        every = rows.reshape(count * number, size)
        self._summed = every[:, l4:]
        self._checks: Words = field(every, layout.check, "=u2")
        self._last_checks = self._checks[number - 1 :: number]

        self._headers = Headers(rows, layout, size, last)
        # What the pseudo-header of one packet adds to that of the frame; 65535 counts as 0.
        self._less, self._last_less = size - length + 65535, last - length + 65535

    def make(self, frames: Rows) -> None:
        """Cut frames of this kind into the memory."""
        head, check = self._layout.head, self._layout.check
        heads = frames[:, :head].tobytes()
        self._payload[:] = frames[:, self._whole].reshape(self._payload.shape)

        firsts, pseudos = [], []
        for at in range(0, len(heads), head):
            firsts.append(first := bytearray(heads[at : at + head]))
            pseudos.append(pseudo := int.from_bytes(first[check : check + 2], "big"))
            first[check : check + 2] = folded(pseudo + self._less).to_bytes(2, "big")
        self._headers.fill(firsts)

        if self._short:
            # A short last packet is padded with zeros while sums are taken: they change none.
            self._tail[:] = frames[:, self._rest]
            self._padding[:] = 0
            self._last_checks[:] = [native(folded(pseudo + self._last_less)) for pseudo in pseudos]
        sums = finished(row_sums(self._summed))
        if self._layout.protocol == UDP:
            sums[sums == 0] = 65535
        self._checks[:] = sums


class Splitter:
    """Cuts superframes into the memory that it is given."""

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._cuts: dict[tuple[VnetHeader, int, int, bytes], _Cut] = {}

    def split(self, frames: Rows, header: VnetHeader) -> list[Train]:
        """Return a train for each of these frames of one kind. Raise NotSplittable if the header does not fit them."""
        count, length = frames.shape
        key = header, length, count, kind_of(frames[0].data, header)
        cut = self._cuts.get(key) or self._arranged(key, split.layout_of(frames[0].data, header))
        cut.make(frames)
        return cut.trains

    def _arranged(self, key: tuple[VnetHeader, int, int, bytes], layout: Layout) -> _Cut:
        """Return an arrangement for this kind of frames, and keep it if it fits into the memory."""
        header, length, count, _ = key
        needed = -(-(length - layout.head) // header.gso_size) * (layout.head + header.gso_size) * count
        if needed > len(self._memory):
            # The headers of very many very small packets: rare, and too large to keep.
            return _Cut(memoryview(bytearray(needed)), layout, length, header.gso_size, count)
        if len(self._cuts) >= _KEPT:
            self._cuts.clear()
        self._cuts[key] = cut = _Cut(self._memory, layout, length, header.gso_size, count)
        return cut


def finish(packets: memoryview, size: int, number: int, header: VnetHeader) -> None:
    """Finish the checksum of each of `number` packets of one size, in place.

    Packets whose header points outside of them are left as they are.
    """
    start, at = header.csum_start, header.csum_start + header.csum_offset
    if number == 1 and size < _SMALL:
        split.finish(packets, header)
    elif at + 2 <= size:
        rows = np.frombuffer(packets, np.uint8).reshape(number, size)
        checks = finished(row_sums(rows[:, start:]))
        checks[checks == 0] = 65535 if header.csum_offset == CSUM_OFFSETS[UDP] else 0
        field(rows, at, "=u2")[:] = checks
