"""An impairment as netem keeps it, the kernel's own bad network (net/sched/sch_netem.c).

The kernel counts times in nanoseconds, chances in units of 2^-32 and a rate in whole bytes per second, so a number of a
file is there as the nearest of these. What is asked for and what is found are compared as they come back from the
kernel's numbers.
"""

from __future__ import annotations

from typing import NamedTuple

from labctl.engine.packets.impairment import Impairment

_CERTAIN = 2**32 - 1
_DIGITS = 9  # of a fraction: as many as 32 bits are sure to keep


class Netem(NamedTuple):
    """The numbers: nanoseconds, chances of 2^32 - 1, bytes per second."""

    delay: int = 0
    jitter: int = 0
    loss: int = 0
    duplicate: int = 0
    corrupt: int = 0
    reorder: int = 0
    rate: int = 0

    @classmethod
    def of(cls, impairment: Impairment) -> Netem:
        """Return the nearest that the kernel can keep. It keeps no seed."""
        return cls(
            delay=round(impairment.delay * 10**9),
            jitter=round(impairment.jitter * 10**9),
            loss=round(impairment.loss * _CERTAIN),
            duplicate=round(impairment.duplicate * _CERTAIN),
            corrupt=round(impairment.corrupt * _CERTAIN),
            reorder=round(impairment.reorder * _CERTAIN),
            rate=impairment.rate // 8,
        )

    def impairment(self) -> Impairment:
        """Return what these numbers mean."""
        return Impairment(
            delay=self.delay / 10**9,
            # tc(8) allows more jitter than delay.
            jitter=min(self.jitter, self.delay) / 10**9,
            loss=round(self.loss / _CERTAIN, _DIGITS),
            duplicate=round(self.duplicate / _CERTAIN, _DIGITS),
            corrupt=round(self.corrupt / _CERTAIN, _DIGITS),
            reorder=round(self.reorder / _CERTAIN, _DIGITS) if self.delay else 0.0,
            rate=self.rate * 8,
        )


def as_kept(impairment: Impairment) -> Impairment | None:
    """Return an impairment as it is once the kernel has it; None where nothing of it is left."""
    kept = Netem.of(impairment).impairment()
    return None if kept.is_none else kept


def as_typed(impairment: Impairment) -> tuple[str, ...]:
    """Return the words for tc(8), where the jitter follows the delay without a word of its own."""
    return tuple(word for word in str(impairment).split() if word != "jitter")
