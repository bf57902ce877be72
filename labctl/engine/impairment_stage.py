"""One direction of an endpoint, impaired: what stands between a packet's coming and its leaving.

`impair` knows what happens to a packet and when; this knows the clock and the counters. A train is taken apart, since
chance is drawn for every packet; those that may go on do so one by one, when their time has come. Without impairment
the train goes straight on, whole.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from labctl.engine import counters as count
from labctl.engine.packets.impairer import Impairer, Impairment
from labctl.engine.packets.train import Train

OUT = {"lost": count.OUT_LOST, "queue_full": count.OUT_QUEUE_FULL, "copies": count.COPIES_OUT}
IN = {"lost": count.IN_LOST, "queue_full": count.IN_QUEUE_FULL, "copies": count.COPIES_IN}


class Impaired:
    """Passes trains on to `forward`, each packet in its time, or gives it to `drop` with the drop's cell.

    It begins without impairment. `name` makes the luck of the two directions differ.
    """

    def __init__(
        self,
        name: str,
        cells: memoryview,
        where: dict[str, int],
        forward: Callable[[Train], None],
        drop: Callable[[Train, int], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._clock = clock
        self._impairer = Impairer(Impairment(), clock(), name=name)
        self._cells = cells
        self._where = where
        self._forward = forward
        self._drop = drop
        # True while every train goes straight on, whole.
        self.is_idle = True

    @property
    def impairment(self) -> Impairment:
        return self._impairer.impairment

    def change(self, impairment: Impairment) -> None:
        """Impair differently from now on; what is held is neither lost nor doubled."""
        self._impairer.change(impairment, self._clock())
        self.is_idle = self._impairer.is_idle

    def take(self, train: Train) -> None:
        """Have the packets of a train go on, now, later or never."""
        if self.is_idle:
            self._forward(train)
            return
        now, counts, cells = self._clock(), self._impairer.counts, self._cells
        copies, overflow = counts.duplicated, counts.queue_full
        for packet in train.packets():
            # What a port handed over is good until it receives again, and this may be kept for longer.
            kept = bytes(packet)
            dropped = self._impairer.offer(kept, now)
            if dropped:
                self._drop(Train.of(kept), self._where[dropped])
                overflow += dropped == "queue_full"
        cells[self._where["copies"]] += counts.duplicated - copies
        # A copy that found the queue full is a drop too, though its original went on.
        cells[self._where["queue_full"]] += counts.queue_full - overflow
        self.release()

    def release(self) -> None:
        """Pass on what is due."""
        for packet in self._impairer.due(self._clock()):
            self._forward(Train.of(packet))
        self.is_idle = self._impairer.is_idle

    def next_due(self) -> float | None:
        """When `release` will next have something to do, in seconds of the clock."""
        return self._impairer.next_due()
