"""What the engines of a lab dropped since a moment."""

from __future__ import annotations

from labctl.engine.counters import DROPS_IN, DROPS_OUT, words_for
from labctl.lab.engines.stats import EngineStats
from labctl.lab.state import State
from labctl.topology.interface_ref import InterfaceRef


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
