"""From what the kernel left undone to packets: superframes are cut, checksums are finished.

The kernel's TCP hands the TUN device up to 64 KB under one header instead of many packets, for a network
card would cut it. `Splitter` is that card: it follows `tcp_gso_segment`, `__udp_gso_segment` and
`inet_gso_segment` of Linux to the byte. What the headers of the packets are is said in `headers`.

The checksum field of a superframe holds the sum of its pseudo-header (RFC 9293 3.1), length included. So no
address is looked at: the difference of the lengths is added, which is right behind extension headers, too.
A UDP checksum that comes out as 0 is sent as 0xffff, because 0 means that there is none (RFC 768).
"""

import struct

from labctl.engine.headers import CSUM_OFFSETS, Headers, Layout
from labctl.engine.numeric import np
from labctl.engine.packet import IPV6_HEADER, TCP, UDP
from labctl.engine.sums import Words, field, finished, folded, row_sums
from labctl.engine.train import Bytes
from labctl.engine.vnet import NEEDS_CSUM, TCPV4, TCPV6, UDP_L4, VnetHeader

# Below this, numpy takes longer to begin than plain arithmetic to end.
_SMALL = 2048
# Arrangements are kept for as many kinds of frames. What is dropped is only made again.
_KEPT = 64


class NotSplittable(ValueError):
    """A header that does not fit its frame. The kernel makes none such."""


def layout_of(frame: Bytes, header: VnetHeader) -> Layout:
    """Where the headers of a superframe end. Raises NotSplittable."""
    l4, version = header.csum_start, frame[0] >> 4 if frame else 0
    protocol, least = (UDP, 8) if header.gso_type == UDP_L4 else (TCP, 20)
    if (
        header.gso_type not in {4: (TCPV4, UDP_L4), 6: (TCPV6, UDP_L4)}.get(version, ())
        or not header.flags & NEEDS_CSUM
        or header.csum_offset != CSUM_OFFSETS[protocol]
        or not (IPV6_HEADER if version == 6 else max(20, (frame[0] & 15) * 4)) <= l4 < len(frame) - least
        or l4 % 4
        or not header.gso_size
    ):
        raise NotSplittable(header)
    head = l4 + (8 if protocol == UDP else (frame[l4 + 12] >> 4) * 4)
    if not l4 + least <= head < len(frame):
        raise NotSplittable(header)
    return Layout(version, protocol, l4, head)


class _Cut:
    """The arrangement for frames of one layout, length and payload size: rows, and views of them."""

    def __init__(self, memory: memoryview, layout: Layout, length: int, step: int) -> None:
        head, l4 = layout.head, layout.l4
        self.number = -(-(length - head) // step)
        self.size = head + step
        self.last = (length - head) % step + head if (length - head) % step else self.size
        self.whole = self.number if self.last == self.size else self.number - 1
        self.all = memory[: (self.number - 1) * self.size + self.last]
        rows = np.frombuffer(memory, np.uint8)[: self.number * self.size].reshape(self.number, self.size)
        self.headers = Headers(rows, layout, self.size)
        self.payload = rows[: self.whole, head:]
        self.tail = rows[-1, head:]
        self.summed = rows[:, l4:]
        self.checks: Words = field(rows, layout.check, "=u2")
        self.length = length - l4

    def pseudo(self, old: int, l4_size: int) -> int:
        """The sum of the pseudo-header with the new length for the old one; 65535 counts as 0."""
        return folded(old + l4_size + 65535 - self.length)


class Splitter:
    """Cuts superframes into the memory that it is given."""

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._cuts: dict[tuple[Layout, int, int], _Cut] = {}

    def split(self, frame: Bytes, header: VnetHeader) -> tuple[memoryview, int, int]:
        """The packets one behind the other, the size of all but the last, and their number.

        Raises NotSplittable.
        """
        layout = layout_of(frame, header)
        cut = self._cut(layout, len(frame), header.gso_size)
        head, step = layout.head, header.gso_size
        (old,) = struct.unpack_from("!H", frame, layout.check)
        first = bytearray(frame[:head])
        struct.pack_into("!H", first, layout.check, cut.pseudo(old, cut.size - layout.l4))
        cut.headers.fill(first, cut.last)

        source = np.frombuffer(frame, np.uint8)
        end = head + cut.whole * step
        cut.payload[:] = source[head:end].reshape(cut.whole, step)
        if cut.last != cut.size:
            # A short last packet is padded with zeros while sums are taken: they change none.
            rest = len(frame) - end
            cut.tail[:rest] = source[end:]
            cut.tail[rest:] = 0
            cut.checks[-1:] = np.frombuffer(struct.pack("!H", cut.pseudo(old, cut.last - layout.l4)), np.uint16)
        checks = finished(row_sums(cut.summed))
        if layout.protocol == UDP:
            checks[checks == 0] = 65535
        cut.checks[:] = checks
        return cut.all, cut.size, cut.number

    def _cut(self, layout: Layout, length: int, step: int) -> _Cut:
        key = (layout, length, step)
        if key not in self._cuts:
            if len(self._cuts) >= _KEPT:
                self._cuts.clear()
            needed = -(-(length - layout.head) // step) * (layout.head + step)
            memory = self._memory if needed <= len(self._memory) else memoryview(bytearray(needed))
            if memory is not self._memory:
                # The headers of very many very small packets: rare, and too large to keep.
                return _Cut(memory, layout, length, step)
            self._cuts[key] = _Cut(memory, layout, length, step)
        return self._cuts[key]


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
