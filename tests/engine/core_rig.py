"""An endpoint's forwarder between real descriptors: what comes out at their far ends, with the core in C or in Python.

The TUN device is one end of a pair of UNIX sockets, which keeps the bounds of frames as the device does; the peer is a
UDP socket of the loopback interface, so trains are cut and merged by the kernel's own UDP_SEGMENT and UDP_GRO. Every
send and write meets the next of `faults` first, whichever core makes it (`faults.h`).
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import subprocess
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, cast

from labctl.engine.batches.tun import BatchTun
from labctl.engine.core import library
from labctl.engine.core.core import Core
from labctl.engine.core.ports import CorePeer, CoreTun
from labctl.engine.counters import Counters
from labctl.engine.features import Feature, Features
from labctl.engine.forward import Forwarder
from labctl.engine.packets.address import Address
from labctl.engine.packets.routing_loop import OwnDatagrams
from labctl.engine.packets.train import Bytes
from labctl.engine.ports import MemoryPort
from labctl.engine.tun import offload as offload_tun
from labctl.engine.udp.offload import UDP_SEGMENT, OffloadPeer
from labctl.engine.udp.peer import ANCILLARY, ecn_in
from labctl.engine.udp.sockets import open_socket

ROOM = 4 << 20
OWN = OwnDatagrams.between(Address("10.0.1.1", 9000), Address("10.0.2.1", 9000))


def compile_faulty(into: Path, *options: str) -> Path:
    """Compile the core with `faults.h` into a directory; return the library."""
    made = into / "libfaulty.so"
    faults = Path(__file__).with_name("faults.h")
    words = ["cc", "-O2", "-shared", "-fPIC", *options, "-include", str(faults), "-o", str(made), str(library.SOURCE)]
    subprocess.run(words, check=True)
    return made


class CoreRig:
    """A forwarder, `turn` to have it forward what waits, and the two far ends.

    A `faulty` library takes the place of the installed one.
    """

    def __init__(self, core: str, faulty: Path | None = None) -> None:
        self.faults: deque[int] = deque()
        self.left = 0  # how often there was something for Python
        with ExitStack() as opened:
            near, self.device = map(opened.enter_context, socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
            ours = opened.enter_context(open_socket(Address("127.0.0.1", 9000)))
            self.far = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            for each in (near, self.device, self.far):
                each.setblocking(False)
                each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
            self.far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
            self.far.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
            for each in (ours, self.far):
                each.bind(("127.0.0.1", 0))
            ours.connect(self.far.getsockname())
            self.far.connect(ours.getsockname())
            self._epoll = opened.enter_context(select.epoll())
            self._opened = opened.pop_all()
        self.counters = Counters.anonymous()
        self.lines: list[str] = []
        self.features = Features(self.lines.append, lambda: 0.0)
        self.features.show_in(self.counters.feature_cell)
        self.features.engage(~Feature(0))
        tun_kind, peer_kind = (CoreTun, CorePeer) if core == "c" else (BatchTun, OffloadPeer)
        self.tun = tun_kind(near.fileno())
        self.peer = peer_kind(cast(socket.socket, _FaultySocket(ours, self.faults)))
        self.tun.features = self.features
        self.peer.engage(self.features)
        self.core = None
        if isinstance(self.tun, CoreTun) and isinstance(self.peer, CorePeer):
            self.core = Core(self.tun, self.peer, OWN, self.counters)
            if faulty:
                self._use(faulty)
            self.core.wait_with(self._epoll)
        self.strangers = MemoryPort()
        self.forwarder = Forwarder(
            self.tun, self.peer, self.strangers, names=("tun0", "peer"), own=OWN, counters=self.counters
        )
        for port in (self.tun, self.peer):
            self._epoll.register(port.fileno(), select.EPOLLIN)

    def _use(self, faulty: Path) -> None:
        made = ctypes.CDLL(str(faulty))
        self._next_fault = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: self.faults.popleft() if self.faults else 0)
        ctypes.c_void_p.in_dll(made, "next_fault").value = ctypes.cast(self._next_fault, ctypes.c_void_p).value
        assert self.core
        self.core.library = made

    def turn(self) -> None:
        """Forward until nothing waits."""
        real, namespace = os, vars(offload_tun)
        namespace["os"] = _FaultyOs(self.faults)
        try:
            while ready := self.core.poll(self.forwarder.common, 0) if self.core else self._epoll.poll(0):
                self.left += len(ready)
                for descriptor, _ in ready:
                    if descriptor == self.tun.fileno():
                        self.forwarder.tun_to_peer()
                    else:
                        self.forwarder.peer_to_tun()
        finally:
            namespace["os"] = real

    def sent(self) -> list[bytes]:
        """The datagrams that came to the peer since the last call."""
        return [datagram for datagram, _ in self.sent_marked()]

    def sent_marked(self) -> list[tuple[bytes, int]]:
        """The same, each with the ECN field that it came with."""
        found = []
        with suppress(BlockingIOError):
            while True:
                datagram, beside, _, _ = self.far.recvmsg(1 << 17, ANCILLARY)
                found.append((datagram, ecn_in(beside)))
        return found

    def written(self) -> list[bytes]:
        """The frames that were written to the device since the last call, each with its virtio header."""
        found = []
        with suppress(BlockingIOError):
            while True:
                found.append(self.device.recv(1 << 17))
        return found

    def arrive(self, datagrams: Bytes, size: int = 0) -> None:
        """Have the peer send datagrams of this size, the last perhaps shorter, as one train."""
        beside = [(socket.IPPROTO_UDP, UDP_SEGMENT, size.to_bytes(2, "little"))] if 0 < size < len(datagrams) else []
        self.far.sendmsg([datagrams], beside)

    def close(self) -> None:
        """Close all descriptors."""
        self.strangers.close()
        self._opened.close()


class _FaultySocket:
    def __init__(self, real: socket.socket, faults: deque[int]) -> None:
        self._real, self._faults = real, faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def send(self, data: Bytes) -> int:
        _meet(self._faults)
        return self._real.send(data)

    def sendmsg(self, buffers: Sequence[Bytes], beside: Sequence[Any]) -> int:
        _meet(self._faults)
        return self._real.sendmsg(buffers, beside)


class _FaultyOs:
    """In place of the module `os`."""

    strerror = staticmethod(os.strerror)
    readv = staticmethod(os.readv)

    def __init__(self, faults: deque[int]) -> None:
        self._faults = faults

    def writev(self, descriptor: int, buffers: Sequence[Bytes]) -> int:
        _meet(self._faults)
        return os.writev(descriptor, buffers)


def _meet(faults: deque[int]) -> None:
    if faults and (error := faults.popleft()):
        raise OSError(error, os.strerror(error))
