"""The TUN device with the kernel's offloads, one frame for each call.

With IFF_VNET_HDR each frame comes with a `vnet` header, and with TUNSETOFFLOAD the kernel leaves work to us:
TCP superframes are not cut, checksums not finished. `split` does that work. `batches.tun` takes many frames at once
and merges packets for the kernel; the core in C does so, too, and leaves to this port what is rare (`core.ports`).

TUNSETOFFLOAD belongs to the *device* and outlives the descriptor, whereas IFF_VNET_HDR belongs to the descriptor. A
program that attached to a persistent device after us, without the header, would read unfinished packets and could not
know. So the offloads are switched off at the end; and `TunDevice`, which reads without the header, switches them off
when it attaches, in case an engine was killed.

Where the kernel refuses a merged frame, nothing of it was done, the feature is given up, and the error is raised:
the forwarder, which still has the packets, writes each by itself. Memory is allocated once; what `receive` returns
is valid until the next `receive`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket

from labctl.engine.features import Feature, Features
from labctl.engine.packets.ip import UDP
from labctl.engine.packets.split import NotSplittable, finish, split
from labctl.engine.packets.train import Bytes, Train
from labctl.engine.packets.vnet import EMPTY, NEEDS_CSUM, VnetHeader
from labctl.engine.packets.vnet import SIZE as VNET
from labctl.engine.ports import LARGEST, buffer
from labctl.engine.tun.device import TUNSETOFFLOAD, TunDevice
from labctl.engine.tun.gso import NOTHING_TO_CUT, mtu_of

# linux/if_tun.h
IFF_VNET_HDR = 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_USO4, TUN_F_USO6 = 0x01, 0x02, 0x04, 0x20, 0x40

# What says nothing about a feature: the interface is down or gone, or the kernel is short of memory.
_NO_REFUSAL = {errno.EIO, errno.EBADFD, errno.EFAULT, errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM}


class OffloadTun(TunDevice):
    """A TUN interface whose superframes are trains, and to which every packet is written alone."""

    flags = IFF_VNET_HDR
    merges = Feature(0)
    """What this port can merge, where the kernel takes it."""
    buffer_size = 2 * LARGEST
    """Bytes of the memory that frames are read into."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self.features = Features()
        self._cuts = True
        # For questions about the interface; later none can be opened (`confinement`).
        self._any_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._header = bytearray(VNET)
        self._read = buffer(self.buffer_size)

    def engage(self, features: Features) -> None:
        """Engage every offload that this kernel has, as long as the interface's MTU leaves something to cut."""
        self.features = features
        self._engage()

    def reconsider(self) -> None:
        """Engage or disengage if the MTU of the interface asks for that now."""
        cuts = self._has_to_cut()
        if cuts != self._cuts:
            self._engage()

    def _has_to_cut(self) -> bool:
        try:
            return mtu_of(self.name(), self._any_socket) <= NOTHING_TO_CUT
        except OSError:  # it is gone, which the next read tells
            return self._cuts

    def _engage(self) -> None:
        features, self._cuts = self.features, self._has_to_cut()
        features.disengage(Feature.TUN_TSO | Feature.TUN_USO | Feature.TCP_MERGE | Feature.UDP_MERGE)
        if not self._cuts:
            self._offload(0)
            return
        tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6
        # USO came with Linux 6.2, and writing merged UDP with it.
        if self._offload(tso | TUN_F_USO4 | TUN_F_USO6):
            features.engage(Feature.TUN_USO | Feature.UDP_MERGE & self.merges)
        elif not self._offload(tso):
            self._offload(0)
            return
        features.engage(Feature.TUN_TSO | Feature.TCP_MERGE & self.merges)

    def _offload(self, mask: int) -> bool:
        try:
            fcntl.ioctl(self._descriptor, TUNSETOFFLOAD, mask)
        except OSError:
            return False
        return True

    def receive(self) -> Bytes | list[Train]:
        train = self._train(0, os.readv(self._descriptor, (self._header, self._read[:LARGEST])) - VNET)
        return train.data if train.number == 1 else [train]

    def _train(self, at: int, length: int) -> Train:
        """Return the packets of a frame that was read to the offset `at`, behind its header."""
        frame, header = self._read[at : at + length], VnetHeader.read(self._header)
        if header.gso_type:
            try:
                return split(frame, header)
            except NotSplittable:
                # An unfinished packet must not leave. An empty one is counted, as malformed.
                return Train.of(b"")
        if header.flags & NEEDS_CSUM:
            finish(frame, header)
        return Train.of(frame)

    def send_lone(self, packet: Bytes) -> None:
        self._write(EMPTY, packet)

    def _write(self, *buffers: Bytes) -> None:
        os.writev(self._descriptor, buffers)

    def refused(self, run: Train, error: OSError) -> None:
        """Take note that the kernel refused a merged frame of these packets."""
        if error.errno not in _NO_REFUSAL:
            protocol = run.data[9 if run.data[0] >> 4 == 4 else 6]
            self.features.give_up(Feature.UDP_MERGE if protocol == UDP else Feature.TCP_MERGE, error)

    def close(self) -> None:
        self._any_socket.close()
        self._offload(0)
        super().close()
