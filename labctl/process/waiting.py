"""A program that is waited for, and told what asks this process to end."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Callable, Sequence

from labctl.engine.loop.signals import numbers_of

Ready = Callable[[Sequence[int]], Sequence[int]]
"""Waits until one of these descriptors is readable, and returns those that are."""


def readable(descriptors: Sequence[int]) -> Sequence[int]:
    """Return those of these descriptors that are readable, once there is one."""
    return select.select(descriptors, [], [])[0]


def until_it_ends(
    process: subprocess.Popen[bytes], signals: int, tell: Callable[[int], object] | None = None, ready: Ready = readable
) -> int:
    """Wait for a program to end, and tell it the signals that are heard at a descriptor meanwhile (heard).

    Return its exit code as Popen has it. `tell` is called with each; where there is none, the program is sent it.
    """
    tell = tell or process.send_signal
    ended = os.pidfd_open(process.pid)
    try:
        while ended not in ready([ended, signals]):
            for number in numbers_of(signals):
                tell(number)
    finally:
        os.close(ended)
    return process.wait()
