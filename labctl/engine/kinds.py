"""What an endpoint is made of: its ports, with offloads or without, and the core between them.

All is imported here, so before an endpoint gives up its rights: without them it may not be able to read the
installation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from labctl.engine.core import library
from labctl.engine.counters import Counters
from labctl.engine.packets.routing_loop import OwnDatagrams
from labctl.engine.tun.device import TunDevice
from labctl.engine.udp.peer import UdpPeer

if TYPE_CHECKING:
    from labctl.engine.core.core import Core


class Kinds(NamedTuple):
    """The classes of both ports, and of the core, if it is the one in C."""

    tun: type[TunDevice]
    peer: type[UdpPeer]
    core: Callable[[Any, Any, OwnDatagrams, Counters], Core] | None = None


_PLAIN = Kinds(TunDevice, UdpPeer)


def kinds_for(offload: bool, watched: bool) -> Kinds:
    """Return the ports that use offloads, with the core in C between them or with numpy; or plain ones with neither.

    Where packets are watched, each passes Python anyway.
    """
    if not offload:
        return _PLAIN
    from labctl.engine.udp.offload import OffloadPeer

    if library.chosen()[0] == "c":
        from labctl.engine.core.core import Core
        from labctl.engine.core.ports import CorePeer, CoreTun
        from labctl.engine.tun.offload import OffloadTun

        return Kinds(OffloadTun, OffloadPeer) if watched else Kinds(CoreTun, CorePeer, Core)
    from labctl.engine.batches.numpy_import import lean

    try:
        with lean():
            from labctl.engine.batches.tun import BatchTun
    except ImportError:
        return _PLAIN
    return Kinds(BatchTun, OffloadPeer)


def preload() -> None:
    """Load what the ports with offloads need. A process that forks endpoints shares with them what it has loaded."""
    kinds_for(offload=True, watched=False)
