"""Rates out of counters: packets and bits a second, over a short window, and a bounded history of them.

A counter that has become smaller belongs to another interface or engine than before; it is counted from there on.
"""

from __future__ import annotations

from dataclasses import astuple

from labctl.frozen import frozen
from labctl.plan.facts import LinkCounters

WINDOW = 2.0
"""Seconds over which the present rate is taken."""

POINTS = 60
"""Rates that are remembered, one for each sample."""


@frozen
class Rates:
    """Packets and bits a second, in both directions."""

    rx_packets: float = 0.0
    tx_packets: float = 0.0
    rx_bits: float = 0.0
    tx_bits: float = 0.0

    @property
    def packets(self) -> float:
        """Packets a second in both directions together."""
        return self.rx_packets + self.tx_packets

    @property
    def bits(self) -> float:
        """Bits a second in both directions together."""
        return self.rx_bits + self.tx_bits


@frozen
class Sample:
    """Counters at a moment, in seconds of any clock."""

    at: float
    counters: LinkCounters


@frozen
class Meter:
    """The counters of one interface, as they were sampled; the newest last."""

    samples: tuple[Sample, ...] = ()
    history: tuple[Rates, ...] = ()

    @property
    def counters(self) -> LinkCounters:
        """Return the counters of the newest sample."""
        return self.samples[-1].counters if self.samples else LinkCounters()

    @property
    def rates(self) -> Rates:
        """Return the rates over the window."""
        return _between(self.samples[0], self.samples[-1]) if len(self.samples) > 1 else Rates()

    def sampled(self, at: float, counters: LinkCounters) -> Meter:
        """Return the meter with one sample more; where time or a counter has gone back it begins anew."""
        new = Sample(at, counters)
        if not self.samples:
            return Meter((new,), self.history)
        last = self.samples[-1]
        if at == last.at:
            return self
        if at < last.at or _begins_anew(last.counters, counters):
            return Meter((new,), _kept(self.history, Rates()))
        within = tuple(sample for sample in self.samples if at - sample.at <= WINDOW)
        return Meter((*(within or (last,)), new), _kept(self.history, _between(last, new)))


def _kept(history: tuple[Rates, ...], newest: Rates) -> tuple[Rates, ...]:
    return (*history[1 - POINTS :], newest)


def _begins_anew(before: LinkCounters, after: LinkCounters) -> bool:
    return any(new < old for old, new in zip(astuple(before), astuple(after), strict=True))


def _between(first: Sample, last: Sample) -> Rates:
    seconds = last.at - first.at
    old, new = first.counters, last.counters
    return Rates(
        (new.rx_packets - old.rx_packets) / seconds,
        (new.tx_packets - old.tx_packets) / seconds,
        8 * (new.rx_bytes - old.rx_bytes) / seconds,
        8 * (new.tx_bytes - old.tx_bytes) / seconds,
    )
