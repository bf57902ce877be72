"""From packets to superframes, the reverse of `packets.split`: so that the kernel handles many packets as one.

`runs` finds which neighbours of a train may be merged, `merge` makes one frame of them. They follow the
kernel's own `tcp_gro_receive` and `udp_gro_receive`, and are stricter in one point. A merged frame carries
NEEDS_CSUM, and the kernel then checks nothing: a damaged packet would be delivered as a good one. So every
checksum of every packet is verified first, and a packet that fails is never merged but written alone, for
the receiving host to find out.

A packet joins the one before it if splitting the merged frame again restores both:

- it is TCP with payload and the flags ACK or ACK|PSH, or UDP with payload and a checksum; it has no IPv4
  options, is no fragment, has no IPv6 extension header; all its lengths and checksums are right;
- its headers equal those before it but for IPv4 id, checksums, sequence number and PSH;
- its sequence number goes on where the one before ends. Its id counts on, or stays the same with DF set,
  where it means nothing (RFC 6864 4.1) and is the one thing that does not come back;
- the one before has no PSH and is not shorter than the first. In a train only the last can be shorter.

Only neighbours merge, so the order of all packets stays what it was, not only that of each flow.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from labctl.engine.batches.checksums import Rows, are_right, field, folded, native, row_sums
from labctl.engine.batches.headers import Headers
from labctl.engine.packets.ip import IPV6_HEADER, TCP, UDP, checksum
from labctl.engine.packets.layout import Layout
from labctl.engine.packets.train import MOST_PACKETS, Bytes, Train
from labctl.engine.packets.vnet import LAYOUT, NEEDS_CSUM, TCPV4, TCPV6, UDP_L4
from labctl.engine.packets.vnet import SIZE as VNET

if TYPE_CHECKING:
    import numpy.typing as npt

LARGEST_FRAME = 65535
ACK, PSH, DONT_FRAGMENT = 0x10, 0x08, 0x40

# Headers are multiples of four bytes, so they are compared as 32-bit words.
Words: TypeAlias = "npt.NDArray[np.uint32]"


@lru_cache(64)
def _kind(begin: int, protocol: int, offset: int) -> Layout | None:
    """Return the layout of packets by the first byte of the IP header, the protocol and the TCP data offset."""
    version = begin >> 4
    l4 = 20 if version == 4 else IPV6_HEADER
    if protocol == UDP:
        return Layout(version, protocol, l4, l4 + 8)
    return Layout(version, protocol, l4, l4 + max(20, (offset >> 4) * 4)) if protocol == TCP else None


def _layout(packet: Bytes) -> Layout | None:
    """Return the layout of a packet that might merge with its like, or None if it never could."""
    size, begin = len(packet), packet[0]
    if begin == 0x45 and size > 32:
        kind = _kind(begin, packet[9], packet[32])
    elif begin >> 4 == 6 and size > 52:
        kind = _kind(begin, packet[6], packet[52])
    else:
        return None
    return kind if kind and size > kind.head else None


def runs(train: Train, tcp: bool = True, udp: bool = True) -> Iterable[Train]:
    """Cut a train into runs that `merge` takes and packets that it does not, in order."""
    data, size, number, parts = train[:4]
    kind = _layout(data[:size]) if number > 1 else None
    if kind is None or not (tcp if kind.protocol == TCP else udp):
        return train.singles()
    most = min(MOST_PACKETS, (LARGEST_FRAME - kind.head) // (size - kind.head))
    each, last = number // parts, len(data) - (number - 1) * size
    if each <= most and last > kind.head and _expected(kind, size, each, last, parts).met_by(data):
        return (train,) if parts == 1 else (train.part(at, each) for at in range(0, number, each))
    starts = np.flatnonzero(~_joins(train, kind)).tolist()
    return (
        train.part(begin, min(most, end - begin))
        for first, end in zip(starts, [*starts[1:], number], strict=True)
        for begin in range(first, end, most)
    )


class _Expected:
    """The headers that a train has if each part of it came from one superframe; a quick look at the usual case.

    It says yes only where `_joins` would join everything in each part. Ids that stay the same are left to that.
    Only a train of one part may have a shorter last packet.
    """

    def __init__(self, layout: Layout, size: int, number: int, last: int, parts: int) -> None:
        protocol, l4, head = layout.protocol, layout.l4, layout.head
        self._layout, self._size = layout, size
        self._whole = parts * number if last == size else number - 1
        self._end = self._whole * size
        # Bytes are compared at once; numpy fills them.
        self._came, self._wanted = bytearray(parts * number * head), bytearray(parts * number * head)
        self._heads, wanted = (np.frombuffer(each, np.uint8).reshape(-1, head) for each in (self._came, self._wanted))
        self._checks, self._wanted_checks = (field(rows, layout.check, "=u2") for rows in (self._heads, wanted))
        self._headers = Headers(wanted.reshape(parts, number, head), layout, size, last)
        self._part = number * head
        self._psh = (number - 1) * head + l4 + 13
        # What is left of the pseudo-header, once the addresses are summed with the rest, makes the sum 0.
        right = -(native(protocol) + native(size - l4)) % 65535
        self._right = np.full(self._whole, right, np.uint64).tobytes()
        self._last_right = (protocol + last - l4) % 65535
        # Each part is asked what it is: the layout is only that of the first. One number compares all bits at once.
        self._mask, self._must = (int.from_bytes(each.tobytes()) for each in _required(layout, size))

    def met_by(self, data: Bytes) -> bool:
        """Return whether a train is as expected, its checksums right, so that its parts may be merged as they are."""
        layout, end, came = self._layout, self._end, self._came
        head = layout.head
        source = np.frombuffer(data, np.uint8)
        rows = source[:end].reshape(self._whole, self._size)
        self._heads[: self._whole] = rows[:, :head]
        if end < len(data):
            self._heads[-1] = source[end : end + head]
        firsts = [came[at : at + head] for at in range(0, len(came), self._part)]
        if any(int.from_bytes(first) & self._mask != self._must for first in firsts):
            return False
        self._headers.fill(firsts)
        self._wanted_checks[:] = self._checks
        if layout.protocol == TCP:
            for at in range(self._psh, len(came), self._part):
                came[at] &= ~PSH
        elif not self._checks.all():
            return False
        if came != self._wanted or (row_sums(rows[:, layout.addresses :]) % 65535).tobytes() != self._right:
            return False
        return end == len(data) or checksum(data[end + layout.addresses :]) == self._last_right


_expected = lru_cache(64)(_Expected)


def _joins(train: Train, kind: Layout) -> npt.NDArray[np.bool_]:
    """Return for each packet whether it joins the one before it."""
    version, protocol, l4, head = kind
    heads, good = _good(train, kind)
    joins = np.zeros(train.number, np.bool_)
    joined = joins[1:]
    np.logical_and(good[1:], good[:-1], out=joined)
    words = heads.view(np.uint32)
    joined &= ~((words[1:] ^ words[:-1]) & _comparable(kind)).any(axis=1)
    if protocol == TCP:
        numbers = field(heads, l4 + 4, ">u4").astype(np.uint32)
        joined &= numbers[1:] - numbers[:-1] == train.size - head
        joined &= heads[:-1, l4 + 13] == ACK
    if version == 4:
        ids = field(heads, 4, ">u2").astype(np.uint16)
        steps = ids[1:] - ids[:-1]
        counting = steps == 1
        if not counting.all():
            joined &= counting | ((steps == 0) & (heads[1:, 6] == DONT_FRAGMENT))
            # One run does not count on here and stay the same there.
            joined[1:] &= (steps[1:] == steps[:-1]) | ~joined[:-1]
    return joins


def _good(train: Train, kind: Layout) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """Return the headers of all packets, and which packets are of this kind and without a fault.

    In the headers that are returned a short last packet states the length of the others.
    """
    version, protocol, l4, head = kind
    size, count = train.size, train.number
    data = np.frombuffer(train.data, np.uint8)
    whole = len(data) // size
    rows = data[: whole * size].reshape(whole, size)
    heads = np.zeros((count, head), np.uint8)
    heads[:whole] = rows[:, :head]
    # Addresses and everything behind the IP header, and then the rest of the pseudo-header.
    sums = np.ones(count, np.uint64)
    sums[:whole] = row_sums(rows[:, kind.addresses :])
    if whole < count and len(last := data[whole * size :]) > head:
        heads[whole] = last[:head]
        sums[whole] = row_sums(last[None, kind.addresses :])[0]
        sums[whole] += native(len(last) - l4) + 65535 - native(size - l4)
    sums += native(protocol) + native(size - l4)
    good = are_right(sums)
    if version == 4:
        good &= are_right(row_sums(heads[:, :l4]))
    if whole < count:
        _restate(heads[whole], kind, len(data) - whole * size, size)
    mask, value = _required(kind, size)
    good &= ((heads.view(np.uint32) & mask) == value).all(axis=1)
    if protocol == UDP:
        good &= field(heads, l4 + 6, "=u2") != 0
    return heads, good


def _restate(header: Rows, kind: Layout, true: int, size: int) -> None:
    """Let the header of a packet of `true` length state `size`; one that lies about its length says 0."""
    for (at, right), (_, stated) in zip(kind.lengths(true), kind.lengths(size), strict=True):
        found = field(header[None], at, ">u2")
        found[0] = stated if found[0] == right else 0


@lru_cache(64)
def _required(kind: Layout, size: int) -> tuple[Words, Words]:
    """Return a mask over the headers, and what must be under it."""
    version, protocol, l4, head = kind
    mask, value = np.zeros((2, head), np.uint8)

    def require(at: int, bits: bytes, under: bytes) -> None:
        mask[at : at + len(bits)] = tuple(under)
        value[at : at + len(bits)] = tuple(bits)

    if version == 4:
        require(0, b"\x45", b"\xff")
        require(6, b"\0\0", b"\xbf\xff")
        require(9, bytes([protocol]), b"\xff")
    else:
        require(0, b"\x60", b"\xf0")
        require(6, bytes([protocol]), b"\xff")
    if protocol == TCP:
        require(l4 + 12, bytes([(head - l4) << 2, ACK]), bytes([0xFF, 0xFF ^ PSH]))
    for at, length in kind.lengths(size):
        require(at, length.to_bytes(2, "big"), b"\xff\xff")
    return mask.view(np.uint32), value.view(np.uint32)


@lru_cache(64)
def _comparable(kind: Layout) -> Words:
    """Return a mask over the headers: the bits that do not change from packet to packet."""
    mask = np.full(kind.head, 0xFF, np.uint8)
    mask[kind.check : kind.check + 2] = 0
    if kind.version == 4:
        mask[4:6] = mask[10:12] = 0
    if kind.protocol == TCP:
        mask[kind.l4 + 4 : kind.l4 + 8] = 0
        mask[kind.l4 + 13] = 0xFF ^ PSH
    return mask.view(np.uint32)


def merge(run: Train, frame: memoryview) -> int:
    """Make a superframe of a run, virtio header first, in `frame`; return the length of both."""
    data, size, number = run[:3]
    kind = _layout(data[:size])
    assert kind is not None, "runs() found this run"
    version, protocol, l4, head = kind
    step, whole = size - head, len(data) // size
    length = len(data) - (number - 1) * head
    payload, end = VNET + head, VNET + head + whole * step
    source = np.frombuffer(data, np.uint8)[: whole * size].reshape(whole, size)
    np.frombuffer(frame, np.uint8)[payload:end].reshape(whole, step)[:] = source[:, head:]
    if whole < number:
        frame[end : VNET + length] = data[whole * size + head :]

    first = bytearray(data[:head])
    for at, stated in kind.lengths(length):
        first[at : at + 2] = stated.to_bytes(2, "big")
    if version == 4:
        first[10:12] = b"\0\0"
        first[10:12] = checksum(first[:l4]).to_bytes(2, "big")
    if protocol == TCP:
        # Nothing joins behind PSH, so only the last packet can have it.
        first[l4 + 13] |= data[(number - 1) * size + l4 + 13] & PSH
    pseudo = int.from_bytes(first[kind.addresses : l4], "big") + protocol + length - l4
    first[kind.check : kind.check + 2] = folded(pseudo).to_bytes(2, "big")
    frame[VNET:payload] = first
    gso_type = UDP_L4 if protocol == UDP else TCPV4 if version == 4 else TCPV6
    LAYOUT.pack_into(frame, 0, NEEDS_CSUM, gso_type, head, step, l4, kind.check - l4)
    return VNET + length
