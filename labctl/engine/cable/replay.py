"""The replay window of RFC 4303 (3.4.3, appendix A): which counters have come, among the last that can still come.

Datagrams may overtake one another, so a counter below the highest is taken once; below the window it is not known any
more whether it came, and it is not taken.
"""

from __future__ import annotations

import enum

WINDOW = 1024
"""Counters below the highest that may still come."""

_MASK = (1 << WINDOW) - 1


class Came(enum.Enum):
    """What a counter is to a window."""

    NEW = enum.auto()
    AGAIN = enum.auto()
    STALE = enum.auto()  # too long ago to know


class Window:
    """The counters of authentic datagrams. `highest` is 0 before the first; no datagram has that counter."""

    def __init__(self) -> None:
        self.highest = 0
        self._seen = 0  # bit n: `highest` - n has come

    def take_all(self, highest: int) -> None:
        """Take note that all counters above the highest have come, up to this one, if it is higher."""
        ahead = highest - self.highest
        if ahead > 0:
            self._seen = (self._seen << ahead | (1 << ahead) - 1) & _MASK
            self.highest = highest

    def take(self, counter: int) -> Came:
        """Take note of a counter, and return what it is."""
        ahead = counter - self.highest
        if ahead > 0:
            self._seen = (self._seen << ahead | 1) & _MASK if ahead < WINDOW else 1
            self.highest = counter
            return Came.NEW
        if ahead <= -WINDOW or counter <= 0:
            return Came.STALE
        bit = 1 << -ahead
        if self._seen & bit:
            return Came.AGAIN
        self._seen |= bit
        return Came.NEW
