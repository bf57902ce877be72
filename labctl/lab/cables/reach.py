"""Whether hosts reach one another, tried before a lab is made, at the very ports and with the very datagrams.

An end without a device is joined and shown as any other. So what is found, in which direction and how large, is what
the cables will have; and no host is left with anything but sockets that are closed again.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from time import monotonic

from labctl.engine.cable import counters as count
from labctl.engine.cable.forward import Cable, Ends, Plug
from labctl.engine.cable.line import BEAT
from labctl.engine.cable.line import State as LineState
from labctl.engine.cable.sealing import preferred
from labctl.engine.cable.udp import CableSocket, bound
from labctl.engine.cable.wire import overhead
from labctl.engine.features import Features
from labctl.engine.packets.train import Bytes
from labctl.errors import UsageError
from labctl.lab.cables import library
from labctl.lab.cables.joining import End, Seen
from labctl.lab.cables.status import instead, refused
from labctl.lab.engines.engine_errors import engine_errors_as
from labctl.plan.cable_spec import CableSpec

PATIENCE = 3.0
"""Seconds in which both ends must hear one another."""

_OF_ONE_VERSION = "say where each host is reached by addresses of one IP version: hosts: {srv1: {address: 192.0.2.1}}"


class _NoDevice:
    """A device that has no frames."""

    def receive(self) -> memoryview:
        raise BlockingIOError

    def send(self, buffers: Sequence[Bytes]) -> None:
        pass

    def set_carrier(self, there: bool) -> None:
        pass

    def is_up(self) -> bool:
        return True


class _End:
    def __init__(self, spec: CableSpec, opened: socket.socket) -> None:
        self.counters = count.CableCounters.anonymous()
        self.socket = CableSocket(opened, Features())
        ends = Ends(spec.cable, str(spec.device), str(spec.peer))
        self.cable = Cable(_NoDevice(), self.socket, ends, self.counters, lambda line: None)
        self._host = spec.host

    @property
    def settled(self) -> bool:
        cells = self.counters.cells
        return bool(cells[count.STATE] == LineState.UP and not cells[count.SEARCHING])

    def seen(self) -> Seen:
        now = self.counters.snapshot()
        path, state = now["path_mtu"], LineState(now["state"]).name.lower()
        carried = max(0, path - overhead(self.socket.version))
        return Seen(state, self.socket.port, path, carried, instead(now, self._host), refused(now))


class Reach:
    """The ends of this host, open and waiting; a context manager."""

    def __init__(self, specs: Sequence[CableSpec]) -> None:
        """Raise KernelRefused where no port is free, MachineError where the library that seals is not installed."""
        library.load()
        self._ends: dict[str, _End] = {}
        with ExitStack() as sockets:
            for spec in specs:
                first, last = spec.ports
                with engine_errors_as(f"cable {spec.cable} cannot be tried"):
                    opened = sockets.enter_context(bound(spec.address, range(first, last + 1)))
                    self._ends[spec.cable] = _End(spec, opened)
            self._sockets = sockets.pop_all()

    @property
    def ends(self) -> dict[str, End]:
        """Return what the other hosts have to know of them, by the name of the cable."""
        return {name: End(end.socket.port, preferred()) for name, end in self._ends.items()}

    def tried(self, plugs: Mapping[str, Plug], patience: float = PATIENCE) -> dict[str, Seen]:
        """Join the ends, and return how each is once all carry and are measured, or when `patience` seconds are over.

        The other hosts do the same at the same time. Raise UsageError for a host that this one cannot send to.
        """
        began = monotonic()
        joined = {name: end for name, end in self._ends.items() if name in plugs}
        for name, end in joined.items():
            try:
                end.cable.plug(plugs[name], began)
            except (ValueError, OSError) as error:
                raise UsageError(f"cable {name} cannot be joined", str(error), _OF_ONE_VERSION) from None
        until = began + patience
        with select.epoll() as epoll:
            by_descriptor = {end.socket.fileno(): end for end in joined.values()}
            for descriptor in by_descriptor:
                epoll.register(descriptor, select.EPOLLIN)
            settled = False
            while (now := monotonic()) < until:
                due = min((when for end in joined.values() if (when := end.cable.tick(now)) is not None), default=until)
                if not settled and all(end.settled for end in joined.values()):
                    settled, until = True, min(until, now + 1.5 * BEAT)  # the others may not have heard us yet
                for descriptor, _ in epoll.poll(max(0.0, min(due, until) - now)):
                    by_descriptor[descriptor].cable.peer_to_tap(monotonic())
        return {name: end.seen() for name, end in joined.items()}

    def close(self) -> None:
        """Close the sockets."""
        self._sockets.close()

    def __enter__(self) -> Reach:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
