"""What is seen of a lab on one of its hosts, in portions: it is asked for, and read no faster than it is taken.

What is not asked for yet is kept by the kernel, up to the memory of a tap, and counted beyond that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from labctl.kernel.packet_taps import PacketTaps, Seen
from labctl.lab.trace_facts import LabFacts

Answer = TypeVar("Answer")


class Portion(NamedTuple):
    """Packets in the order of time."""

    packets: tuple[Seen, ...]
    until: int  # the moment, by the clock of this host, before which nothing is still to come
    missed: int  # frames that were not kept so far


def portion(taps: PacketTaps, seconds: float) -> Portion:
    """Return some packets as soon as there are any; none after so many seconds. Raise KernelRefused as taps do."""
    taps.wait(seconds)
    packets, until = taps.portion()
    return Portion(tuple(packets), until, taps.missed())


@dataclass(frozen=True)
class Look:
    """Taps on all namespaces of a lab that are on this host, and what is known there."""

    taps: PacketTaps
    facts: LabFacts

    def portion(self, seconds: float) -> Portion:
        """Return some packets as soon as there are any; none after so many seconds."""
        return portion(self.taps, seconds)

    def fact(self, question: Callable[[LabFacts], Answer]) -> Answer:
        """Return the answer to a question."""
        return question(self.facts)
