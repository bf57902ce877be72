"""One epoll loop: wait until descriptors are ready, call the handler of each, wait again. `idling` says how it waits.

No packet waits for a clock: a timer is one more descriptor, and so is a signal. epoll is level-triggered: what a
bounded handler leaves behind makes the next wait return at once.

The loop ends in two ways, neither of them an error: it is asked to stop, or the TUN device is deleted, which the
kernel reports as EPOLLERR (`tun_chr_poll` in drivers/net/tun.c) or as EBADFD from a read.
"""

from __future__ import annotations

import enum
import select
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from functools import partial
from types import MappingProxyType

from labctl.engine.forward import DeviceGone, Forwarder
from labctl.engine.loop.idling import Ready, ready_descriptors
from labctl.engine.loop.network_changes import NetworkChanges
from labctl.engine.loop.timer import Timer

_BROKEN = select.EPOLLERR | select.EPOLLHUP


class Ending(enum.Enum):
    """Why an endpoint ended."""

    STOPPED = "stopped"
    DEVICE_GONE = "device gone"


def run(
    forwarder: Forwarder,
    stop: int,
    warm: Callable[[], None] | None,
    changes: NetworkChanges,
    beside: Mapping[int, Callable[[], object]] = MappingProxyType({}),
    waits: Callable[[select.epoll], Iterator[Ready]] | None = None,
) -> Ending:
    """Forward until the descriptor `stop` is readable or the device is gone.

    `beside` has more descriptors and what is called when one is readable. `waits` yields what is ready; it is `idling`
    if None, and calls `warm` when idle, to warm caches.
    """
    tun, peer, strangers = (port.fileno() for port in (forwarder.tun, forwarder.peer, forwarder.strangers))
    stages = forwarder.stages
    handlers: dict[int, Callable[[], object]] = {
        tun: forwarder.tun_to_peer,
        peer: forwarder.peer_to_tun,
        strangers: forwarder.drop_stranger,
        changes.fileno(): partial(changes.handle, forwarder.reconsider),
        **beside,
    }
    # Their handlers may replace the peer's socket under its descriptor, and epoll forgets the one before.
    replacing = {strangers, changes.fileno()}
    with select.epoll() as epoll, closing(Timer()) as timer:
        handlers[timer.fileno()] = timer.acknowledge
        for descriptor in (stop, *handlers):
            epoll.register(descriptor, select.EPOLLIN)
        each_time = waits(epoll) if waits else ready_descriptors(epoll, forwarder.tun.rested, changes.fileno())
        try:
            for ready in each_time:
                for descriptor, events in ready:
                    if descriptor == stop:
                        return Ending.STOPPED
                    if descriptor == tun and events & _BROKEN:
                        return Ending.DEVICE_GONE
                    handlers[descriptor]()
                    if descriptor in replacing:
                        with suppress(FileExistsError):
                            epoll.register(peer, select.EPOLLIN)
                if not ready:
                    # Most likely nothing waits; to ask for it warms what `warm` does not reach: these very ports.
                    forwarder.tun_to_peer()
                    forwarder.peer_to_tun()
                    if warm:
                        warm()
                if not stages.are_idle:
                    stages.release()
                    timer.arm(stages.next_due())
        except DeviceGone:
            pass
    return Ending.DEVICE_GONE
