"""The two sides of an endpoint with the kernel's offloads: many packets with one call.

**TUN.** With IFF_VNET_HDR each frame comes with a `vnet` header, and with TUNSETOFFLOAD the kernel leaves
work to us: TCP superframes are not cut, checksums not finished. That work is `split`'s; of the way back,
`coalesce`'s. Small packets are taken as many as there are, and neighbours of one size leave as one train.

TUNSETOFFLOAD belongs to the *device* and outlives the descriptor, whereas IFF_VNET_HDR belongs to the one
who attaches. A program that attached to a persistent device after us, without the header, would be given
unfinished packets and could not know. So it is taken back at the end; and `TunDevice`, which reads without
the header, takes it back when it attaches, in case an engine was killed.

**UDP.** UDP_SEGMENT and UDP_GRO (net/ipv4/udp_offload.c) send and receive trains as they are. A segment may
not be larger than the path's MTU, for nothing fragments it: such packets are sent one by one, and the
kernel fragments each.

Where the kernel refuses a train, nothing of it was done, the feature is given up, and the error is raised:
the forwarder, which still has the packets, sends each by itself. Memory is taken once; what `receive` gives
is good until the next `receive`.
"""

import errno
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Iterable

from labctl.engine import coalesce, split
from labctl.engine.features import Feature, Features
from labctl.engine.ports import LARGEST
from labctl.engine.train import MOST_PACKETS, Bytes, Train, buffer
from labctl.engine.tun_device import TUNSETOFFLOAD, TunDevice
from labctl.engine.udp import UdpPeer
from labctl.engine.vnet import EMPTY, NEEDS_CSUM, VnetHeader
from labctl.engine.vnet import SIZE as VNET

# linux/if_tun.h
IFF_VNET_HDR = 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_USO4, TUN_F_USO6 = 0x01, 0x02, 0x04, 0x20, 0x40
# linux/udp.h; not in the socket module.
UDP_SEGMENT, UDP_GRO = 103, 104

# What says nothing about a feature: the interface is down, it is gone, or somebody is busy.
_NO_REFUSAL = {errno.EIO, errno.EBADFD, errno.EFAULT, errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM}
# EIO: the way out cannot compute checksums, or transforms packets. The others: this kernel, or this socket.
_NO_SEGMENTS = {errno.EIO, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOPROTOOPT}


class OffloadTun(TunDevice):
    """A TUN interface whose superframes are trains."""

    flags = IFF_VNET_HDR

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self.features = Features()
        self._header = bytearray(VNET)
        # Packets are read behind one another while they begin in the first half; a superframe ends it.
        self._read = buffer(2 * LARGEST)
        self._first = (self._header, self._read)
        self._splitter = split.Splitter(buffer(2 * LARGEST))
        self._merged = buffer(VNET + LARGEST)
        # A packet that comes alone goes on before a second is looked for.
        self._alone = True

    def engage(self, features: Features) -> None:
        """Ask for every offload that this kernel has."""
        self.features = features
        tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6
        # USO came with Linux 6.2, and writing merged UDP with it.
        if self._offload(tso | TUN_F_USO4 | TUN_F_USO6):
            features.engage(Feature.TUN_USO | Feature.UDP_MERGE)
        elif not self._offload(tso):
            self._offload(0)
            return
        features.engage(Feature.TUN_TSO | Feature.TCP_MERGE)

    def _offload(self, mask: int) -> bool:
        try:
            fcntl.ioctl(self._descriptor, TUNSETOFFLOAD, mask)
        except OSError:
            return False
        return True

    def rested(self) -> None:
        self._alone = True

    def receive(self) -> Bytes | list[Train]:
        """Take what waits: one packet, packets up to a batch, or up to and with the first superframe."""
        header = self._header
        length = os.readv(self._descriptor, self._first) - VNET
        if header[1]:
            return [self._split(self._read[:length])]
        if self._alone:
            self._alone = False
            return self._read[:length] if not header[0] else self._finished(0, length, 1, bytes(header)).data
        return self._batch(length)

    def _batch(self, length: int) -> Bytes | list[Train]:
        """Take more packets, behind a first one of this length."""
        descriptor, header, view = self._descriptor, self._header, self._read
        # Neighbours of one size and one header: where they begin, their size, their number, the header.
        groups: list[tuple[int, int, int, bytes]] = []
        start, size, number, at, key = 0, length, 1, length, bytes(header)
        superframe: list[Train] = []
        for _ in range(MOST_PACKETS - 1):
            if at > LARGEST:
                break
            try:
                length = os.readv(descriptor, (header, view[at : at + LARGEST])) - VNET
            except OSError:  # if it lasts it comes again with the next call
                self._alone = True
                break
            if header[1]:
                superframe = [self._split(view[at : at + length])]
                break
            if length == size and header == key:
                number += 1
            else:
                groups.append((start, size, number, key))
                start, size, number, key = at, length, 1, bytes(header)
            at += length
        groups.append((start, size, number, key))
        return [self._finished(*group) for group in groups] + superframe

    def _finished(self, start: int, size: int, number: int, key: bytes) -> Train:
        packets = self._read[start : start + size * number]
        if key[0] & NEEDS_CSUM:
            split.finish(packets, size, number, VnetHeader.read(key))
        return Train(packets, size, number, number)

    def _split(self, frame: memoryview) -> Train:
        try:
            data, size, count = self._splitter.split(frame, VnetHeader.read(self._header))
        except split.NotSplittable:
            # An unfinished packet must not leave. An empty one is counted, as malformed.
            return Train.of(b"")
        return Train(data, size, count, 1)

    def pieces(self, train: Train) -> Iterable[Train]:
        """The runs that one write takes, found and verified."""
        if train.number == 1:
            return (train,)
        now = self.features.now
        return coalesce.runs(train, Feature.TCP_MERGE in now, Feature.UDP_MERGE in now)

    def send(self, piece: Train) -> None:
        if piece.number == 1:
            self.send_lone(piece.data)
            return
        length = coalesce.merge(piece, self._merged)
        try:
            os.write(self._descriptor, self._merged[:length])
        except OSError as error:
            if error.errno not in _NO_REFUSAL:
                udp = coalesce.is_udp(piece)
                self.features.give_up(Feature.UDP_MERGE if udp else Feature.TCP_MERGE, error)
            raise

    def send_lone(self, packet: Bytes) -> None:
        os.writev(self._descriptor, (EMPTY, packet))

    def close(self) -> None:
        self._offload(0)
        super().close()


class OffloadPeer(UdpPeer):
    """The connected socket, which sends and receives trains."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__(connected)
        self.features = Features()
        self._read = buffer(LARGEST)
        self._buffers = [self._read]
        # The largest packet that goes in a train; learned from what the kernel refuses.
        self._largest = LARGEST

    def engage(self, features: Features) -> None:
        """Ask for every offload that this kernel has."""
        self.features = features
        for option, feature in ((UDP_SEGMENT, Feature.UDP_SEGMENT), (UDP_GRO, Feature.UDP_GRO)):
            try:
                # For UDP_SEGMENT 0 asks for nothing and only shows that it is known.
                self._socket.setsockopt(socket.IPPROTO_UDP, option, int(option == UDP_GRO))
            except OSError:
                continue
            features.engage(feature)

    def receive(self) -> Bytes | list[Train]:
        length, ancillary, flags, _ = self._socket.recvmsg_into(self._buffers, 64)
        data, size = self._read[:length], length
        if not ancillary and not flags:
            return data
        for _, kind, value in ancillary:
            if kind == UDP_GRO:
                size = int.from_bytes(value[:4], sys.byteorder)
        if flags & socket.MSG_CTRUNC:
            # What the size is was lost. What this is now is malformed, and counted so; it will not recur.
            self._socket.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 0)
            self.features.give_up(Feature.UDP_GRO, OSError(errno.ENOBUFS, ""))
        return data if size == length else [Train(data, size, -(-length // size), 1)]

    def pieces(self, train: Train) -> Iterable[Train]:
        """The trains that one call takes."""
        if train.number == 1:
            return (train,)
        if train.size > self._largest or Feature.UDP_SEGMENT not in self.features.now:
            return train.singles()
        return train.sendable()

    def send(self, piece: Train) -> None:
        if piece.number == 1:
            self.send_lone(piece.data)
            return
        segment = (socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", piece.size))
        try:
            self._socket.sendmsg((piece.data,), (segment,))
        except OSError as error:
            # Older kernels say EINVAL for a segment over the MTU.
            if error.errno in (errno.EMSGSIZE, errno.EINVAL) and piece.size > self.mtu():
                self._largest = piece.size - 1
            elif error.errno in _NO_SEGMENTS:
                self.features.give_up(Feature.UDP_SEGMENT, error)
            raise
