"""The account of one direction of an endpoint: every packet is counted as it comes, and as it leaves or is dropped.

So the two equations hold that `counters` promises. A watcher is told of each packet at its end, one way or the other.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import NamedTuple

from labctl.engine import counters as count
from labctl.engine.packets.train import Train

Watch = Callable[[str, bytes, str | None], None]
"""Called with a route such as `tun0 > 10.0.2.1:9000`, a packet, and the name of its drop or None."""


class Cells(NamedTuple):
    """Which counters belong to a direction. Those of packets have the counter of bytes right behind them."""

    came: int
    left: int
    frames: int
    lost: int
    queue_full: int
    copies: int


OUT = Cells(
    came=count.TUN_READ,
    left=count.UDP_SENT,
    frames=count.TUN_READ_FRAMES,
    lost=count.OUT_LOST,
    queue_full=count.OUT_QUEUE_FULL,
    copies=count.COPIES_OUT,
)
IN = Cells(
    came=count.UDP_RECEIVED,
    left=count.TUN_WRITTEN,
    frames=count.TUN_WRITTEN_FRAMES,
    lost=count.IN_LOST,
    queue_full=count.IN_QUEUE_FULL,
    copies=count.COPIES_IN,
)

# The drop that the kernel's refusal is, to send to the peer and to write to the TUN device.
OUT_BY_ERRNO = {
    errno.ECONNREFUSED: count.OUT_REFUSED,
    errno.ENETUNREACH: count.OUT_UNREACHABLE,
    errno.EHOSTUNREACH: count.OUT_UNREACHABLE,
    errno.EAGAIN: count.OUT_BUSY,
    errno.ENOBUFS: count.OUT_BUSY,
}
IN_BY_ERRNO = {
    errno.EIO: count.IN_LINK_DOWN,
    errno.EBADFD: count.IN_LINK_DOWN,
    errno.EAGAIN: count.IN_BUSY,
    errno.ENOBUFS: count.IN_BUSY,
}


class Account:
    """Counts the packets of one direction in `counters`, in the cells that belong to it."""

    def __init__(self, counters: count.Counters, cells: Cells, route: str, watch: Watch | None = None) -> None:
        self._numbers = counters.cells
        self._sequence = counters.sequence_cell
        self._route = route
        self._watch = watch
        self._ends = self._came, self._left = (cells.came, cells.left)
        self._frames = cells.frames
        self.cells = cells

    def add(self, cell: int, number: int) -> None:
        """Count something of which no packet is the subject."""
        self._numbers[cell] += number

    def came(self, train: Train) -> None:
        """Count packets that came."""
        self._numbers[self._came] += train.number
        self._numbers[self._came + 1] += len(train.data)

    def left(self, train: Train) -> None:
        """Count packets that were sent on, and show them."""
        self._numbers[self._left] += train.number
        self._numbers[self._left + 1] += len(train.data)
        if self._watch:
            self._show(self._watch, train, self._route, None)

    def passed(self, size: int) -> None:
        """Count a packet of `size` bytes that came and left as one frame. It has left: it does not wait for this."""
        numbers = self._numbers
        numbers[self._frames] += 1
        for cell in self._ends:
            numbers[cell] += 1
            numbers[cell + 1] += size

    def dropped(self, train: Train, drop: int) -> None:
        """Count packets as this drop, and show them."""
        self._numbers[drop] += train.number
        if self._watch:
            self._show(self._watch, train, self._route, count.NAMES[drop])

    def came_from_stranger(self, train: Train, route: str) -> None:
        """Count packets that came, and are dropped since they are not the peer's. A reader sees both, or neither."""
        self._sequence[0] += 1
        self.came(train)
        self._numbers[count.IN_NOT_FROM_PEER] += train.number
        self._sequence[0] += 1
        if self._watch:
            self._show(self._watch, train, route, count.NAMES[count.IN_NOT_FROM_PEER])

    @staticmethod
    def _show(watch: Watch, train: Train, route: str, drop: str | None) -> None:
        for packet in train.packets():
            watch(route, bytes(packet), drop)
