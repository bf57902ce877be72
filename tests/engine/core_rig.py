"""An endpoint's forwarder between real descriptors: what comes out at their far ends, with the core in C or in Python.

The TUN device is one end of a pair of UNIX sockets, which keeps the bounds of frames as the device does; the peer is a
UDP socket of the loopback interface, so trains are cut and merged by the kernel's own UDP_SEGMENT and UDP_GRO.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterable
from contextlib import ExitStack, suppress

from labctl.engine.core.core import Core
from labctl.engine.core.ports import CorePeer, CoreTun
from labctl.engine.counters import Counters
from labctl.engine.features import Feature, Features
from labctl.engine.forward import Forwarder
from labctl.engine.packets.address import Address
from labctl.engine.packets.routing_loop import OwnDatagrams
from labctl.engine.ports import MemoryPort
from labctl.engine.tun.offload import OffloadTun
from labctl.engine.udp.offload import UDP_SEGMENT, OffloadPeer
from labctl.engine.udp.sockets import open_socket

ROOM = 4 << 20


class CoreRig:
    """A forwarder, `turn` to have it forward what waits, and the two far ends."""

    def __init__(self, core: str) -> None:
        with ExitStack() as opened:
            near, self.device = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            ours = opened.enter_context(open_socket(Address("127.0.0.1", 9000)))
            self.far = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            for each in (near, self.device):
                opened.enter_context(each)
                each.setblocking(False)
                each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
            self.far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
            for each in (ours, self.far):
                each.bind(("127.0.0.1", 0))
            ours.connect(self.far.getsockname())
            self.far.connect(ours.getsockname())
            self.far.setblocking(False)
            self._opened = opened.pop_all()
        self.counters = Counters.anonymous()
        self.lines: list[str] = []
        self.features = Features(self.lines.append)
        self.features.show_in(self.counters.feature_cell)
        tun_kind, peer_kind = (CoreTun, CorePeer) if core == "c" else (OffloadTun, OffloadPeer)
        self.tun, self.peer = tun_kind(near.fileno()), peer_kind(ours)
        self.tun.features = self.features
        self.features.engage(~Feature(0))
        self.peer.engage(self.features)
        own = OwnDatagrams.between(Address("10.0.1.1", 9000), Address("10.0.2.1", 9000))
        self.strangers = MemoryPort()
        self.core = None
        if isinstance(self.tun, CoreTun) and isinstance(self.peer, CorePeer):
            self.core = Core(self.tun, self.peer, own, self.counters)
        self.forwarder = Forwarder(
            self.tun, self.peer, self.strangers, names=("tun0", "peer"), own=own, counters=self.counters
        )
        self._epoll = self._opened.enter_context(select.epoll())
        for port in (self.tun, self.peer):
            self._epoll.register(port.fileno(), select.EPOLLIN)
        if self.core:
            self.core.wait_with(self._epoll)

    def turn(self) -> None:
        """Forward until nothing waits."""
        while True:
            ready = self.core.poll(True, 0) if self.core else self._epoll.poll(0)
            if not ready:
                return
            for descriptor, _ in ready:
                if descriptor == self.tun.fileno():
                    self.forwarder.tun_to_peer()
                else:
                    self.forwarder.peer_to_tun()

    def sent(self) -> list[bytes]:
        """The datagrams that came to the peer since the last call."""
        return list(_all(self.far))

    def written(self) -> list[bytes]:
        """The frames that were written to the device since the last call, each with its virtio header."""
        return list(_all(self.device))

    def arrive(self, datagrams: bytes, size: int = 0) -> None:
        """Have the peer send datagrams of this size, the last perhaps shorter, as one train."""
        beside = [(socket.IPPROTO_UDP, UDP_SEGMENT, size.to_bytes(2, "little"))] if 0 < size < len(datagrams) else []
        self.far.sendmsg([datagrams], beside)

    def close(self) -> None:
        """Close all descriptors."""
        self.strangers.close()
        self._opened.close()


def _all(source: socket.socket) -> Iterable[bytes]:
    with suppress(BlockingIOError):
        while True:
            yield source.recv(1 << 17)
