"""Software segmentation of what the kernel hands over: superframes are cut, checksums are finished.

The kernel's TCP hands the TUN device up to 64 KB under one header instead of many packets, as to a network
card that cuts it. `split` is that card: it follows `tcp_gso_segment`, `__udp_gso_segment` and
`inet_gso_segment` of Linux to the byte.

The checksum field of a superframe holds the sum of its pseudo-header (RFC 9293 3.1), length included. So no
address is looked at: the difference of the lengths is added, which is right behind extension headers, too.
A UDP checksum that comes out as 0 is sent as 0xffff, because 0 means that there is none (RFC 768).
"""

from __future__ import annotations

from labctl.engine.packets.ip import IPV6_HEADER, TCP, UDP, checksum
from labctl.engine.packets.layout import CSUM_OFFSETS, CWR, FIN_PSH, Layout
from labctl.engine.packets.train import Bytes, Train
from labctl.engine.packets.vnet import NEEDS_CSUM, TCPV4, TCPV6, UDP_L4, VnetHeader


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


def split(frame: Bytes, header: VnetHeader) -> Train:
    """Return the packets that a superframe stands for. Raise NotSplittable if its virtio header does not fit it."""
    version, protocol, l4, head = layout = layout_of(frame, header)
    step, whole = header.gso_size, len(frame)
    number = -(-(whole - head) // step)
    packets = memoryview(bytearray(number * head + whole - head))
    first, pseudo = bytearray(frame[:head]), _number(frame, layout.check, 2)
    id, sequence, flags = _number(frame, 4, 2), _number(frame, l4 + 4, 4), frame[l4 + 13] if protocol == TCP else 0
    for index in range(number):
        at, begin = index * (head + step), head + index * step
        packet = packets[at : at + head + step]
        if index in (0, number - 1):  # of all but the last the length is the same
            size = len(packet)
            for where, length in layout.lengths(size):
                _put(first, where, 2, length)
            # The sum of one's own pseudo-header, by which `finish` begins; modulo 65535, as all such sums.
            _put(first, layout.check, 2, (pseudo + size - whole) % 65535)
        if version == 4:
            _put(first, 4, 2, id + index)
            _put(first, 10, 2, 0)
            _put(first, 10, 2, checksum(first[: (first[0] & 15) * 4]))
        if protocol == TCP:
            _put(first, l4 + 4, 4, sequence + index * step)
            first[l4 + 13] = flags & ~((CWR if index else 0) | (FIN_PSH if index < number - 1 else 0))
        packet[:head], packet[head:] = first, frame[begin : begin + step]
        finish(packet, header)
    return Train(packets, head + step, number)


def finish(packet: memoryview, header: VnetHeader) -> None:
    """Finish the checksum of a packet in place; one whose header points outside of it is left as it is."""
    start, at = header.csum_start, header.csum_start + header.csum_offset
    if at + 2 <= len(packet):
        zero = 65535 if header.csum_offset == CSUM_OFFSETS[UDP] else 0
        _put(packet, at, 2, checksum(packet[start:]) % 65535 or zero)


def _number(data: Bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _put(data: bytearray | memoryview, at: int, size: int, number: int) -> None:
    """Write a number that wraps around."""
    data[at : at + size] = (number % (1 << 8 * size)).to_bytes(size, "big")
