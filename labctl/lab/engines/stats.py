"""What built-in engines show of themselves, in files that they map into their memory, and what they dropped by that."""

from __future__ import annotations

from typing import NamedTuple

from labctl.engine.counters import DROPS_IN, DROPS_OUT, Counters, words_for
from labctl.lab.state import State
from labctl.topology.interface_ref import InterfaceRef


class EngineStats(NamedTuple):
    """What one shows of itself; empty for a program, and where it cannot be read."""

    counters: dict[str, int]  # what it has counted so far, by name
    offload: tuple[str, ...]  # which of the kernel's offloads it uses
    changes: int  # how often its impairments were changed since it was started

    @classmethod
    def of(cls, device: InterfaceRef, state: State) -> EngineStats:
        try:
            counters = Counters.open(state.counters_of(device))
        except (OSError, ValueError):
            return cls({}, (), 0)
        with counters:
            return cls(counters.snapshot(), tuple(counters.features.words), counters.changes)


class Drops:
    """What the engines of a lab have dropped since this was made."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._engines = state.read().engines
        self._before = {device: EngineStats.of(device, state).counters for device in self._engines}

    def since(self, device: InterfaceRef) -> str:
        """Return in words what an engine dropped, and which errors came back for datagrams of its; empty if none."""
        now, before = EngineStats.of(device, self._state).counters, self._before.get(device, {})
        names = (*DROPS_OUT, *DROPS_IN, "icmp_errors")
        counts = {name: now.get(name, 0) - before.get(name, 0) for name in names}
        return ", ".join(words_for(name, count) for name, count in counts.items() if count > 0)
