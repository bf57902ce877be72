"""What a built-in engine shows of itself, in a file that it maps into its memory."""

from __future__ import annotations

from typing import NamedTuple

from labctl.engine.counters import Counters
from labctl.lab.state import State
from labctl.topology.interface_ref import InterfaceRef


class EngineStats(NamedTuple):
    """What a built-in engine shows of itself; empty for a program, and where it cannot be read."""

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
