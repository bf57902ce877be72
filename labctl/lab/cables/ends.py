"""The ends of cables that are on this host: which port each has, what it is joined with, and how it is.

What is asked for here is done where the lab lives. A lab is joined in two steps, because each end must know the port
of the other: `cable_ends` of both hosts, then `plug` at both (joining.py makes of the one what the other takes).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

from labctl.engine.cable import control
from labctl.engine.cable.counters import CableCounters
from labctl.engine.cable.forward import Plug
from labctl.engine.cable.line import State as LineState
from labctl.engine.cable.sealing import preferred
from labctl.engine.cable.wire import overhead
from labctl.errors import KernelRefused, kernel_words
from labctl.lab.cables.joining import End
from labctl.lab.cables.status import CableStatus
from labctl.lab.journal import CableEngine
from labctl.lab.state import State, existing

PATIENCE = 3.0
"""Seconds within which an end that is joined has a carrier, unless something is in the way."""

_PAUSE = 0.01


def cable_ends(lab: str) -> dict[str, End]:
    """Return the ends that are on this host, by the name of the cable. Raise KernelRefused for one that does not run.

    Raise UsageError where there is no such lab.
    """
    state = existing(lab)
    found = {}
    for cable in state.read().cables.values():
        port = _counted(cable, state)[0].get("port", 0)
        if not (port and cable.process.alive()):
            raise _does_not_answer(cable, "it has ended")
        found[cable.spec.cable] = End(port, preferred())
    return found


class Waiting(NamedTuple):
    """The cables of a lab that is made: what the other hosts have to know of them, and how they are."""

    ends: dict[str, End]
    cables: dict[str, CableStatus]


def waiting(lab: str) -> Waiting:
    """Return the ends that are on this host. Raise KernelRefused as `cable_ends` does."""
    return Waiting(cable_ends(lab), carriers(lab))


def plug(lab: str, plugs: Mapping[str, Plug]) -> None:
    """Join ends with their other ends, by the name of the cable. Raise KernelRefused where one cannot be."""
    state = existing(lab)
    for cable in state.read().cables.values():
        if cable.spec.cable in plugs:
            try:
                control.plug(state.control_of(cable.spec.device), plugs[cable.spec.cable])
            except ValueError as error:
                raise _does_not_answer(cable, str(error)) from None
            except OSError as error:
                raise _does_not_answer(cable, kernel_words(error)) from None


def carriers(lab: str, patience: float = 0.0) -> dict[str, CableStatus]:
    """Return how the cables are, by name; wait `patience` seconds at most until all are up and measured."""
    state = existing(lab)
    deadline = time.monotonic() + patience
    while True:
        found = {cable.spec.cable: cable_status(cable, state) for cable in state.read().cables.values()}
        if all(each.settled for each in found.values()) or time.monotonic() >= deadline:
            return found
        time.sleep(_PAUSE)


def cable_status(cable: CableEngine, state: State) -> CableStatus:
    """Return what can be seen of an end."""
    spec, running = cable.spec, cable.process.alive()
    stopped = running and cable.process.stopped()
    counters, offload = _counted(cable, state)
    path, peer = counters.get("path_mtu", 0), None
    if running and not stopped and counters.get("keys"):
        try:
            peer = control.peer_of(state.control_of(spec.device))
        except (OSError, ValueError):
            peer = None
    return CableStatus(
        str(spec.device),
        spec.cable,
        str(spec.peer),
        spec.host,
        running,
        cable.process.pid,
        counters.get("port", 0),
        peer,
        LineState(counters["state"]).name.lower() if running and not stopped and counters else "",
        path,
        max(0, path - overhead(6 if peer and peer.startswith("[") else 4)),
        counters,
        offload,
        stopped,
    )


def _counted(cable: CableEngine, state: State) -> tuple[dict[str, int], tuple[str, ...]]:
    try:
        counters = CableCounters.open(state.counters_of(cable.spec.device))
    except (OSError, ValueError):
        return {}, ()
    with counters:
        return counters.snapshot(), tuple(counters.features.words)


def _does_not_answer(cable: CableEngine, why: str) -> KernelRefused:
    return KernelRefused(f"the cable of {cable.spec.device} cannot be joined", why, "labctl status, labctl logs")
