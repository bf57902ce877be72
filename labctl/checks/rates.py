"""How fast data arrives at a receiver, by how much of it came in each of many short intervals; pure.

The rate of a flow is the median of its intervals: half of them were faster. It has confidence limits (`confidence`),
and an interval in which all stood still hardly moves it.

Slow start is not counted. A flow is at its rate when in three intervals running it has not grown by a quarter, as BBR
decides that its pipe is full (draft-ietf-ccwg-bbr, section 5.3.1.2).

A machine that is busy slows down a flow, and that is not the network's. A process that slept in an interval had
nothing to do: others kept it waiting. One that never slept, and waited for a CPU, would have carried more had it had
the CPU to itself: up to the whole interval over the part in which it did not wait. So an interval says between which
two rates the network is; where no process was kept from its work, the two are one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from labctl.checks.confidence import Limits, quantile
from labctl.frozen import frozen

K = TypeVar("K")

_GROWS, _ROUNDS = 1.25, 3
_SLEEPS = 0.1
"""The part of an interval for which a process that has nothing to do sleeps at least."""


@frozen
class Interval:
    """An interval: its length in seconds, the bytes that came, and how many times as many it might have been."""

    seconds: float
    received: int
    might: float = 1.0

    @property
    def rate(self) -> float:
        """Return the bits per second that came."""
        return 8 * self.received / self.seconds

    @property
    def most(self) -> float:
        """Return the bits per second that might have come had the machine been idle."""
        return self.rate * self.might if self.received else math.inf if self.might > 1 else 0.0


def hindered(seconds: float, spent: Iterable[tuple[float, float]]) -> float:
    """Return how many times as much might have been carried in an interval, had no process waited for a CPU.

    Each process concerned has spent so many seconds on a CPU, and waiting for one.
    """
    factors = [1.0]
    for ran, waited in spent:
        if seconds - ran - waited < _SLEEPS * seconds:
            factors.append(seconds / (seconds - waited) if waited < seconds else math.inf)
    return max(factors)


def since(
    before: Mapping[K, tuple[float, float]], now: Mapping[K, tuple[float, float]]
) -> Iterator[tuple[float, float]]:
    """Yield what each process has spent between two looks: on a CPU, and waiting for one."""
    for each, (ran, waited) in now.items():
        ran_before, waited_before = before.get(each, (0.0, 0.0))
        yield ran - ran_before, waited - waited_before


def at_its_rate(intervals: Iterable[Interval]) -> bool:
    """Return whether a flow has not grown any more in the last of its intervals so far."""
    best, rounds = 0.0, 0
    for interval in intervals:
        if interval.rate >= _GROWS * best:
            best, rounds = interval.rate, 0
        else:
            rounds += 1
    return rounds >= _ROUNDS


def median(intervals: Sequence[Interval]) -> Limits:
    """Return between which limits the rate of a flow surely is, in bits per second."""
    return quantile(0.5, [each.rate for each in intervals], [each.most for each in intervals])


def total(intervals: Sequence[Interval]) -> tuple[float, float]:
    """Return the mean rate of all intervals in bits per second, and their length in seconds."""
    seconds = sum(each.seconds for each in intervals)
    return (8 * sum(each.received for each in intervals) / seconds if seconds else 0.0), seconds
