"""The core of one endpoint: epoll that forwards while it waits.

`ready_descriptors` stands in for that of `idling`: it waits for descriptors, and what comes meanwhile the common way
goes it without Python. What the core leaves is at the ports, whose descriptors are then ready.
"""

from __future__ import annotations

import ctypes
import select
from collections.abc import Iterator

from labctl.engine.core.library import Shared, load
from labctl.engine.core.ports import CorePeer, CoreTun
from labctl.engine.counters import Counters
from labctl.engine.forward import Forwarder
from labctl.engine.loop.idling import Ready
from labctl.engine.packets.routing_loop import OwnDatagrams


class Core:
    """The C core between two ports. Raise OSError if it is not there."""

    def __init__(self, tun: CoreTun, peer: CorePeer, own: OwnDatagrams, counters: Counters) -> None:
        self._shared = shared = Shared()
        self._peer = peer
        self.library = load()
        header, frames = tun.attach(shared.out, shared.into)
        datagrams = peer.attach(shared.out, shared.into)
        shared.header, shared.frames, shared.datagrams = _address(header), _address(frames), _address(datagrams)
        shared.cells, shared.features = _address(counters.cells), _address(counters.feature_cell)
        shared.own_ports[:] = list(own.ports)
        shared.tun, shared.peer = tun.fileno(), peer.fileno()

    def ready_descriptors(self, forwarder: Forwarder, epoll: select.epoll) -> Iterator[Ready]:
        """Yield what Python has to look at, time after time."""
        self.wait_with(epoll)
        while True:
            if ready := self.poll(forwarder.common):
                yield ready

    def wait_with(self, epoll: select.epoll) -> None:
        """Wait with this epoll, at which the ports are registered, from now on."""
        self._shared.epoll = epoll.fileno()

    def poll(self, forwards: tuple[bool, bool], patience: int = -1) -> Ready:
        """Return what is ready for Python, after `patience` milliseconds at the latest; -1 waits for ever.

        Meanwhile the core forwards, of the directions out and in, those that it is to. A signal ends the wait, too.
        """
        shared = self._shared
        shared.forwards_out, shared.forwards_in = forwards
        shared.out.refusal = shared.into.refusal = 0
        shared.ecn, shared.largest = self._peer.ecn, self._peer.largest
        number = self.library.core_poll(ctypes.byref(shared), patience)
        return [(each.descriptor, each.events) for each in shared.descriptors[:number]]


def _address(memory: bytearray | memoryview) -> int:
    """Return where memory is; it stays there as long as it is held."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))
