"""The impairment of one direction of an endpoint, between a packet's coming and its leaving.

`Impairer` decides what happens to a packet and when; the stage adds the clock and the account. A train is taken apart,
since chance is drawn for every packet; those that go on do so one by one, when they are due. Without impairment a train
goes straight on, whole.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from labctl.engine.accounting import Account
from labctl.engine.packets.impairer import Impairer
from labctl.engine.packets.impairment import Impairment
from labctl.engine.packets.train import Train


class ImpairmentStage:
    """Passes packets on to `forward` when they are due, or drops them in the account. It begins without impairment.

    `name` is part of the seed, so that the two directions draw different numbers from one seed.
    """

    def __init__(
        self,
        name: str,
        account: Account,
        forward: Callable[[Train], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._clock = clock
        self._impairer = Impairer(Impairment(), clock(), name=name)
        self._account = account
        self._forward = forward
        # True while every train goes straight on, whole.
        self.is_idle = True

    @property
    def impairment(self) -> Impairment:
        """The impairment in force."""
        return self._impairer.impairment

    def change(self, impairment: Impairment) -> None:
        """Impair differently from now on; what is held is neither lost nor duplicated."""
        self._impairer.change(impairment, self._clock())
        self.is_idle = self._impairer.is_idle

    def take(self, train: Train) -> None:
        """Take the packets of a train, to pass them on now, later or never."""
        if self.is_idle:
            self._forward(train)
            return
        now, counts, account = self._clock(), self._impairer.counts, self._account
        copies, overflow = counts.duplicated, counts.queue_full
        for packet in train.packets():
            # A port's memory is good until it receives again, and this may be kept for longer.
            kept = bytes(packet)
            match self._impairer.offer(kept, now):
                case "lost":
                    account.dropped(Train.of(kept), account.cells.lost)
                case "queue_full":
                    account.dropped(Train.of(kept), account.cells.queue_full)
                    overflow += 1
        account.add(account.cells.copies, counts.duplicated - copies)
        # A copy that found the queue full is a drop too, though its original went on.
        account.add(account.cells.queue_full, counts.queue_full - overflow)
        self.release()

    def release(self) -> None:
        """Pass on the packets that are due."""
        for packet in self._impairer.due(self._clock()):
            self._forward(Train.of(packet))
        self.is_idle = self._impairer.is_idle

    def next_due(self) -> float | None:
        """Return when `release` will next have something to do, in seconds of the clock; None if nothing is held."""
        return self._impairer.next_due()


class Stages(dict[str, ImpairmentStage]):
    """The stages of an endpoint by direction, `out` and `in`."""

    @property
    def are_idle(self) -> bool:
        """Whether none of them impairs or holds a packet."""
        return self["out"].is_idle and self["in"].is_idle

    def release(self) -> None:
        """Pass on the packets that are due."""
        for stage in self.values():
            stage.release()

    def next_due(self) -> float | None:
        """Return when `release` will next have something to do, as time.monotonic says it; None if nothing is held."""
        return min((due for stage in self.values() if (due := stage.next_due()) is not None), default=None)
