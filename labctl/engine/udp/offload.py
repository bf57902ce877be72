"""The UDP side with the kernel's offloads: one call for a whole train.

UDP_SEGMENT and UDP_GRO (net/ipv4/udp_offload.c) send and receive trains as they are. A segment may
not be larger than the path's MTU, for nothing fragments it: larger packets are sent one by one, and the
kernel fragments each.

Trains are taken a few at a time, and those of one length and of whole packets become one: where several processes
share a CPU, it costs less to handle them at once than one after another, with cold caches.

Where the kernel refuses a train, nothing of it was done, the feature is given up, and the error is raised:
the forwarder, which still has the packets, sends each by itself. Memory is allocated once; what `receive` returns
is valid until the next `receive`.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Iterable

from labctl.engine.features import Feature, Features
from labctl.engine.packets.ecn import by_ecn, changes
from labctl.engine.packets.train import Bytes, Train
from labctl.engine.ports import LARGEST, buffer
from labctl.engine.udp.peer import ANCILLARY, UdpPeer, ecn_in
from labctl.engine.udp.wildcard import Wildcard

# linux/udp.h; not in the socket module.
UDP_SEGMENT, UDP_GRO = 103, 104
# Trains that are taken at once.
MOST_TRAINS = 4

# EIO: the device cannot compute checksums, or transforms packets. The others: this kernel, or this socket.
_NO_SEGMENTS = {errno.EIO, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOPROTOOPT}


class OffloadPeer(UdpPeer):
    """The connected socket, which sends and receives trains."""

    def __init__(self, connected: socket.socket, wildcard: Wildcard | None = None) -> None:
        super().__init__(connected, wildcard)
        self.features = Features()
        self._read = buffer(MOST_TRAINS * LARGEST)
        # An error that was met behind good trains: the next call raises it.
        self._late: OSError | None = None
        # What came beside the last packet that came alone, unmarked: the next is most likely like it.
        self._usual: list[tuple[int, int, bytes]] = []
        # The largest packet that is known to go in a train; learned from what the kernel refuses.
        self._largest = LARGEST

    def engage(self, features: Features) -> None:
        """Engage every offload that this kernel has."""
        self.features = features
        for option, feature in ((UDP_SEGMENT, Feature.UDP_SEGMENT), (UDP_GRO, Feature.UDP_GRO)):
            try:
                # For UDP_SEGMENT 0 changes nothing and only shows that the kernel knows it.
                self._socket.setsockopt(socket.IPPROTO_UDP, option, int(option == UDP_GRO))
            except OSError:
                continue
            features.engage(feature)

    def leave_from(self, host: str) -> None:
        super().leave_from(host)
        self.engage(self.features)

    def receive(self) -> Bytes | list[Train]:
        """Return what waits: one packet, or trains up to the first packet that comes alone."""
        if self._late:
            late, self._late = self._late, None
            raise late
        first = self._take(0)
        return self._more(first) if isinstance(first, Train) else first

    def _more(self, first: Train) -> list[Train]:
        """Receive more trains behind a first one, up to one that is not like it."""
        data, size, number, _, ecn = first
        length, parts = len(data), 1
        if length < size * number:
            return [first]
        ending: list[Train] = []
        for at in range(length, MOST_TRAINS * length, length):
            try:
                came = self._take(at)
            except BlockingIOError:
                break
            except OSError as error:
                self._late = error
                break
            if not isinstance(came, Train):
                ending = [Train.of(came)]
                break
            if (came.size, len(came.data), came.ecn) != (size, length, ecn):
                ending = [came]
                break
            parts += 1
        return [Train(self._read[: parts * length], size, parts * number, parts, ecn), *ending]

    def _take(self, at: int) -> Bytes | Train:
        """Receive one packet or one train, into the memory from `at` on."""
        length, ancillary, flags, _ = self._socket.recvmsg_into([self._read[at : at + LARGEST]], ANCILLARY)
        data = self._read[at : at + length]
        if ancillary == self._usual and not flags:
            return data
        size, ecn = 0, ecn_in(ancillary)
        for _, kind, value in ancillary:
            if kind == UDP_GRO:
                size = int.from_bytes(value[:4], sys.byteorder)
        if flags & socket.MSG_CTRUNC:
            # The size is lost. The train is now one malformed packet, and counted so; this does not recur.
            self._socket.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 0)
            self.features.give_up(Feature.UDP_GRO, OSError(errno.ENOBUFS, ""))
        if not size and not changes(ecn):
            self._usual = ancillary
            return data
        size = size or length
        return Train(data, size, -(-length // size), ecn=ecn) if length else data

    def pieces(self, train: Train) -> Iterable[Train]:
        """Return the trains that one call sends."""
        if train.number == 1:
            return (train,)
        if not self._fits(train.size) or not self.features.use(Feature.UDP_SEGMENT):
            return train.singles()
        return (piece for alike in by_ecn(train) for piece in alike.sendable())

    def _fits(self, size: int) -> bool:
        """Return whether a packet of this size may go in a train. If one was too large, the path may have changed."""
        if size > self._largest:
            if size > self.mtu():
                return False
            self._largest = LARGEST
        return True

    def send(self, piece: Train) -> None:
        if piece.number == 1:
            self.send_lone(piece.data)
            return
        self._mark_like(piece.data)
        segment = (socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", piece.size))
        try:
            self._socket.sendmsg((piece.data,), (segment,))
        except OSError as error:
            # Older kernels return EINVAL for a segment over the MTU.
            if error.errno in (errno.EMSGSIZE, errno.EINVAL) and piece.size > self.mtu():
                self._largest = piece.size - 1
            elif error.errno in _NO_SEGMENTS:
                self.features.give_up(Feature.UDP_SEGMENT, error)
            raise
