"""What the engines of cables did not pass on, by their counters."""

from __future__ import annotations

from labctl.engine.cable.counters import DROPS_IN, DROPS_OUT, words_for
from labctl.lab.cables.ends import cable_status
from labctl.lab.state import State
from labctl.topology.interface_ref import InterfaceRef

_LOST = "lost_datagrams"


class CableDrops:
    """What the ends of cables that are on this host have dropped since this was made."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._cables = state.read().cables
        self._before = {device: cable_status(cable, state).counters for device, cable in self._cables.items()}

    def since(self, device: InterfaceRef) -> str:
        """Return in words what an end counted as dropped, or lost on the way to it, and what keeps it from carrying.

        Empty where that is nothing, or there is no such end.
        """
        if device not in self._cables:
            return ""
        now = cable_status(self._cables[device], self._state)
        if not now.is_up:
            return str(now)
        counted = {
            name: now.counters.get(name, 0) - self._before[device].get(name, 0)
            for name in (*DROPS_OUT, *DROPS_IN, _LOST)
        }
        dropped = ", ".join(words_for(name, count) for name, count in counted.items() if count > 0)
        return f"it counted meanwhile: {dropped}" if dropped else ""
