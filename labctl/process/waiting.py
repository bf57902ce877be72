"""A program that is waited for, and told what asks this process to end."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Sequence

from labctl.engine.loop.signals import numbers_of

MOMENT = 0.5
"""Seconds in which the same signal again is one with it."""

Ready = Callable[[Sequence[int]], Sequence[int]]
"""Waits until one of these descriptors is readable, and returns those that are."""


def readable(descriptors: Sequence[int]) -> Sequence[int]:
    """Return those of these descriptors that are readable, once there is one."""
    return select.select(descriptors, [], [])[0]


def until_it_ends(
    process: subprocess.Popen[bytes], signals: int, tell: Callable[[int], object] | None = None, ready: Ready = readable
) -> int:
    """Wait for a program to end, and tell it the signals that are heard at a descriptor meanwhile (heard).

    Return its exit code as Popen has it. `tell` is called with each; where there is none, the program is sent it. What
    is sent to a group reaches all of our processes, and each of them passes it on: the same one again within a moment
    is one with it.
    """
    tell = tell or process.send_signal
    last: dict[int, float] = {}
    ended = os.pidfd_open(process.pid)
    try:
        while ended not in ready([ended, signals]):
            for number in numbers_of(signals):
                if time.monotonic() > last.get(number, -MOMENT) + MOMENT:
                    tell(number)
                last[number] = time.monotonic()
    finally:
        os.close(ended)
    return process.wait()
