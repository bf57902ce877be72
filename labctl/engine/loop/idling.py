"""What an endpoint does while no packet comes: it asks, warms its caches, or sleeps.

A process that sleeps in epoll_wait(2) answers late: it has to be woken, and by then the caches belong to others. One
that never sleeps takes the CPU from the programs whose packets it forwards. So after each packet it is

1. lingering: it asks again at once, for LINGER seconds. The answer to what has just passed is on its way;
2. warming: it wakes every PAUSE seconds, WARMINGS times, and sends a packet of its own round (`cache_warmer`).
   With a packet every 10 ms that is 3 % of a CPU;
3. asleep, until something is ready.

Before the first packet it sleeps: none is likely to be next, and a hundred engines may have just started.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from time import monotonic

LINGER = 0.00005
"""Seconds. Six times as long costs a TCP stream a tenth, since the CPU is taken from those who make the packets."""

PAUSE, WARMINGS = 0.002, 50
"""Seconds between two warmings, and how many follow a packet."""

Ready = list[tuple[int, int]]
"""Descriptors and their events, as select.epoll.poll returns them."""


def ready_descriptors(epoll: select.epoll, rested: Callable[[], None], changes: int) -> Iterator[Ready]:
    """Yield what is ready, time after time, and an empty list when it is time to warm the caches.

    `rested` is called as soon as nothing is ready any more. The descriptor `changes` is no sign of packets.
    """
    warmings = WARMINGS
    while True:
        ready = epoll.poll(PAUSE if warmings < WARMINGS else None)
        if not ready:
            warmings += 1
            yield ready
        while ready:
            yield ready
            if ready[0][0] != changes:
                warmings = 0
            ready = epoll.poll(0)
            if not ready:
                rested()
                ready = _linger(epoll)


def _linger(epoll: select.epoll) -> Ready:
    """Return what becomes ready within LINGER, so that a quick answer is met without having slept."""
    until = monotonic() + LINGER
    while monotonic() < until:
        os.sched_yield()
        if ready := epoll.poll(0):
            return ready
    return []
