"""Congestion marks across the tunnel, by RFC 6040 (normal mode).

On the way out a datagram gets the ECN field of the packet that it carries (4.1), so that routers of the underlay may
mark it instead of dropping it. On the way in what they marked is handed on in the packet (4.2, figure 4):

                          outer Not-ECT    ECT(0)     ECT(1)     CE
    inner Not-ECT               Not-ECT    Not-ECT    Not-ECT    drop
          ECT(0)                ECT(0)     ECT(0)     ECT(1)     CE
          ECT(1)                ECT(1)     ECT(1)     ECT(1)     CE
          CE                    CE         CE         CE         CE

Only the columns of ECT(1) and CE change anything, and these are the odd numbers.

The six bits beside them (DSCP) are 0 in the datagram and stay what they were in the packet, as in the kernel's own
tunnels: the pipe model of RFC 2983.
"""

from __future__ import annotations

from collections.abc import Iterator

from labctl.engine.packets.ip import fault
from labctl.engine.packets.train import Bytes, Train

NOT_ECT, ECT1, ECT0, CE = range(4)
# The bits of a packet's second byte that hold the field, in IPv4 or IPv6: where none is set, it is Not-ECT.
ANY_ECN = 0x33


def ecn_of(packet: Bytes) -> int:
    """Return the ECN field of a packet without a fault."""
    return (packet[1] if packet[0] >> 4 == 4 else packet[1] >> 4) & 3


def changes(outer: int) -> bool:
    """Return whether a datagram with this ECN field may change the packet that it carries, or have it dropped."""
    return bool(outer & 1)


def hand_on(packet: memoryview, outer: int) -> bool:
    """Set the mark of a datagram in the packet that it carried; return False if that must be dropped instead.

    A packet with a fault stays as it is.
    """
    if fault(packet):
        return True
    inner = ecn_of(packet)
    if outer == CE:
        if inner == NOT_ECT:
            return False
        _set(packet, CE)
    elif outer == ECT1 and inner == ECT0:
        _set(packet, ECT1)
    return True


def _set(packet: memoryview, ecn: int) -> None:
    if packet[0] >> 4 == 6:
        packet[1] = packet[1] & 0xCF | ecn << 4
        return
    before = packet[1]
    packet[1] = before & 0xFC | ecn
    # RFC 1624, equation 3: a wrong checksum stays wrong.
    check = packet[10] << 8 | packet[11]
    total = (0xFFFF - check) + (0xFFFF - before) + packet[1]
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    packet[10:12] = (0xFFFF - total).to_bytes(2, "big")


def by_ecn(train: Train) -> Iterator[Train]:
    """Yield a train of packets without a fault in pieces of one ECN field each. One part has one field."""
    stride = train.size * (train.number // train.parts)
    firsts, seconds = bytes(train.data[::stride]), bytes(train.data[1::stride])
    if firsts == firsts[:1] * train.parts and seconds == seconds[:1] * train.parts:
        yield train
        return
    fields = [ecn_of(bytes(pair)) for pair in zip(firsts, seconds, strict=True)]
    begin, each = 0, train.number // train.parts
    for end in range(1, train.parts + 1):
        if end == train.parts or fields[end] != fields[begin]:
            yield train.part(begin * each, (end - begin) * each)
            begin = end
