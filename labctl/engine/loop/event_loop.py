"""One epoll loop: wait until a descriptor is ready, give each ready one a turn, wait again.

No packet waits for a clock: a timer is one more descriptor, and so is a signal (`stop`). epoll is level-triggered:
what a bounded turn leaves behind makes the next wait return at once.

The loop ends in two ways, neither of them an error: somebody asks for it, or the TUN device is deleted,
which the kernel reports as EPOLLERR (`tun_chr_poll` in drivers/net/tun.c) or as EBADFD from a read.
"""

from __future__ import annotations

import enum
import os
import select
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from time import monotonic

from labctl.engine.control import Control
from labctl.engine.forward import DeviceGone, Forwarder
from labctl.engine.loop.network_changes import NetworkChanges
from labctl.engine.loop.timer import Timer

# Seconds for which it asks again at once, before it sleeps: the answer to what has just passed is on its way.
# Longer, it takes the CPU from those who make the next packets: six times as long costs a TCP stream a tenth.
LINGER = 0.00005
# Then the way of a lone packet is rehearsed, every PAUSE seconds, for 100 ms in all; what is idle
# for longer sleeps. With a packet every 10 ms that is 3 % of a CPU.
PAUSE, REHEARSALS = 0.002, 50

_BROKEN = select.EPOLLERR | select.EPOLLHUP


class Ending(enum.Enum):
    """Why an endpoint ended."""

    STOPPED = "stopped"
    DEVICE_GONE = "device gone"


def _arrivals(epoll: select.epoll, rested: Callable[[], None], changes: int) -> Iterator[list[tuple[int, int]]]:
    """What becomes ready, time after time; nothing, when it is time for a rehearsal."""
    pauses = REHEARSALS  # before the first packet none is likely to be next: a hundred engines may have just begun
    while True:
        ready = epoll.poll(PAUSE if pauses < REHEARSALS else None)
        if not ready:
            pauses += 1
            yield ready
        while ready:
            yield ready
            if ready[0][0] != changes:  # which are no sign of packets
                pauses = 0
            ready = epoll.poll(0)
            if not ready:
                rested()
                ready = _linger(epoll)


def _linger(epoll: select.epoll) -> list[tuple[int, int]]:
    """What becomes ready soon; somebody who asks again at once is answered without having slept in between."""
    until = monotonic() + LINGER
    while monotonic() < until:
        os.sched_yield()
        if ready := epoll.poll(0):
            return ready
    return []


def run(
    forwarder: Forwarder,
    stop: int,
    rehearse: Callable[[], None],
    changes: NetworkChanges,
    control: Control | None = None,
) -> Ending:
    """Forward until the descriptor `stop` is readable or the device is gone; `rehearse` when it may be idle."""
    tun, peer, strangers = (port.fileno() for port in (forwarder.tun, forwarder.peer, forwarder.strangers))
    turns: dict[int, Callable[[], object]] = {
        tun: forwarder.tun_to_peer,
        peer: forwarder.peer_to_tun,
        strangers: forwarder.drop_stranger,
        changes.fileno(): partial(changes.tell, forwarder.reconsider),
    }
    if control is not None:
        turns[control.fileno()] = partial(control.answer, forwarder.stages)
    # In their turns the peer's socket may become another, under the same descriptor.
    moving = {strangers, changes.fileno()}
    with select.epoll() as epoll, closing(Timer()) as timer:
        turns[timer.fileno()] = timer.silence
        for descriptor in (stop, *turns):
            epoll.register(descriptor, select.EPOLLIN)
        try:
            for ready in _arrivals(epoll, forwarder.tun.rested, changes.fileno()):
                for descriptor, events in ready:
                    if descriptor == stop:
                        return Ending.STOPPED
                    if descriptor == tun and events & _BROKEN:
                        return Ending.DEVICE_GONE
                    turns[descriptor]()
                    if descriptor in moving:
                        with suppress(FileExistsError):
                            epoll.register(peer, select.EPOLLIN)
                if not ready:
                    # Most likely nothing is there; to ask for it warms what is these ports' own.
                    forwarder.tun_to_peer()
                    forwarder.peer_to_tun()
                    rehearse()
                if forwarder.holds:
                    forwarder.release()
                    timer.set(forwarder.next_due())
        except DeviceGone:
            pass
    return Ending.DEVICE_GONE
