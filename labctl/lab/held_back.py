"""Whether packets are under way that no tap sees now: an impairment holds them back, of an engine or of the kernel."""

from __future__ import annotations

from contextlib import closing, suppress

from labctl.engine.counters import held_back
from labctl.errors import LabError
from labctl.kernel import namespaces, qdiscs
from labctl.kernel.rtnetlink import Rtnetlink
from labctl.lab.engines.running import impairments
from labctl.lab.engines.stats import EngineStats
from labctl.lab.journal import Engine, Recorded
from labctl.lab.state import State
from labctl.plan.engine_spec import NO_IMPAIRMENT


def holds_back(state: State, recorded: Recorded) -> bool:
    """Return whether an impairment has packets of a lab that it has not passed on yet."""
    running = (each for each in recorded.engines.values() if each.process.alive() and not each.process.stopped())
    return any(_has_some(engine, state) for engine in running) or any(map(_has_waiting, recorded.namespaces))


def _has_some(engine: Engine, state: State) -> bool:
    """Return whether an engine holds packets back, by an impairment and not for a moment only."""
    counts = EngineStats.of(engine.spec.device, state).counters
    has_some = any(held_back(counts, direction) > 0 for direction in ("out", "in"))
    return has_some and any(each != NO_IMPAIRMENT for each in impairments(engine.spec, state).values())


def _has_waiting(namespace: str) -> bool:
    """Return whether a queue that was asked for has packets; that of a device by itself is empty in a moment."""
    with suppress(LabError, OSError), namespaces.inside(namespace), closing(Rtnetlink()) as netlink:
        return any(qdisc.handle and qdisc.counted.waiting for qdisc in qdiscs.attached(netlink))
    return False
