"""What is seen of a lab on one of its hosts, in portions: it is asked for, and read no faster than it is taken.

What is not asked for yet is kept by the kernel, up to the memory of a tap, and counted beyond that.
"""

from __future__ import annotations

from typing import NamedTuple

from labctl.kernel.packet_taps import PacketTaps, Seen
from labctl.lab.engines.stats import Drops
from labctl.lab.held_back import holds_back
from labctl.lab.state import State
from labctl.lab.trace_facts import LabFacts


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


class Look(LabFacts):
    """What is known of the namespaces of a lab that are on this host, and taps on them."""

    def __init__(self, state: State, taps: PacketTaps) -> None:
        super().__init__(state, Drops(state))
        self._taps, self._state, self._recorded = taps, state, state.read()

    def portion(self, seconds: float) -> Portion:
        """Return some packets as soon as there are any; none after so many seconds."""
        return portion(self._taps, seconds)

    def holds_back(self) -> bool:
        """Return whether an impairment has packets that it has not passed on yet."""
        return holds_back(self._state, self._recorded)
