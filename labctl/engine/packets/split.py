"""Software segmentation of what the kernel hands over: superframes are cut, checksums are finished.

The kernel's TCP hands the TUN device up to 64 KB under one header instead of many packets, as to a network
card that cuts it. `Splitter` is that card: it follows `tcp_gso_segment`, `__udp_gso_segment` and
`inet_gso_segment` of Linux to the byte. `headers` computes the headers of the packets.

The checksum field of a superframe holds the sum of its pseudo-header (RFC 9293 3.1), length included. So no
address is looked at: the difference of the lengths is added, which is right behind extension headers, too.
A UDP checksum that comes out as 0 is sent as 0xffff, because 0 means that there is none (RFC 768).
"""

from __future__ import annotations

import struct

import numpy as np

from labctl.engine.packets.checksums import Rows, Words, field, finished, folded, native, row_sums
from labctl.engine.packets.headers import CSUM_OFFSETS, Headers, Layout
from labctl.engine.packets.ip import IPV6_HEADER, TCP, UDP
from labctl.engine.packets.train import Bytes, Train
from labctl.engine.packets.vnet import NEEDS_CSUM, TCPV4, TCPV6, UDP_L4, VnetHeader

# Below this, numpy takes longer to begin than plain arithmetic to end.
_SMALL = 2048
# Arrangements are kept for as many kinds of frames. What is dropped is only made again.
_KEPT = 64


class NotSplittable(ValueError):
    """A virtio header that does not fit its frame. The kernel makes none such."""


def layout_of(frame: Bytes, header: VnetHeader) -> Layout:
    """Return where the headers of a superframe are. Raise NotSplittable if its virtio header does not fit it."""
    l4, version = header.csum_start, frame[0] >> 4 if frame else 0
    protocol, least = (UDP, 8) if header.gso_type == UDP_L4 else (TCP, 20)
    if (
        header.gso_type not in {4: (TCPV4, UDP_L4), 6: (TCPV6, UDP_L4)}.get(version, ())
        or not header.flags & NEEDS_CSUM
        or header.csum_offset != CSUM_OFFSETS[protocol]
        or frame[0] < 0x45
        or not (IPV6_HEADER if version == 6 else (frame[0] & 15) * 4) <= l4 < len(frame) - least
        or l4 % 4
        or not header.gso_size
    ):
        raise NotSplittable(header)
    head = l4 + (8 if protocol == UDP else (frame[l4 + 12] >> 4) * 4)
    if not l4 + least <= head < len(frame) or head + header.gso_size > 65535:
        raise NotSplittable(header)
    return Layout(version, protocol, l4, head)


def kind_of(frame: Bytes, header: VnetHeader) -> bytes:
    """Return all that `layout_of` reads of a frame: its first byte, and the data offset of TCP."""
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
        cut = self._cuts.get(key) or self._arranged(key, layout_of(frames[0].data, header))
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
    if at + 2 > size:
        return
    zero = 65535 if header.csum_offset == CSUM_OFFSETS[UDP] else 0
    if number == 1 and size < _SMALL:
        total = int.from_bytes(packets[start:], "big") << 8 * ((size - start) % 2)
        struct.pack_into("!H", packets, at, -total % 65535 or zero)
        return
    rows = np.frombuffer(packets, np.uint8).reshape(number, size)
    checks = finished(row_sums(rows[:, start:]))
    checks[checks == 0] = zero
    field(rows, at, "=u2")[:] = checks
