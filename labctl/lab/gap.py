"""The gap between a topology and the kernel: what is observed of a lab, and what is left to do."""

from __future__ import annotations

from labctl.kernel import namespaces
from labctl.kernel.observe import observe
from labctl.lab.state import Recorded, State
from labctl.plan.facts import Facts
from labctl.plan.plan import plan, wanted
from labctl.plan.reasons import Change, change
from labctl.plan.steps import SetSysctl
from labctl.topology.model import Topology


def gap(topology: Topology, recorded: Recorded) -> tuple[Change, ...]:
    """What `up` would do now; nothing is touched."""
    return between(topology, facts(recorded, topology))


def between(topology: Topology, found: Facts) -> tuple[Change, ...]:
    """The same from what was observed already."""
    return tuple(change(step, found) for step in plan(topology, found))


def planned(topology: Topology) -> tuple[Change, ...]:
    """The same for the lab of that name, which need not be there."""
    return gap(topology, State(topology.name).read())


def facts(recorded: Recorded, topology: Topology | None) -> Facts:
    """What is there already of a lab: only what is recorded as its own counts. Of settings, those of the topology."""
    paths: dict[str, list[str]] = {}
    for step in wanted(topology) if topology else ():
        if isinstance(step, SetSysctl):
            paths.setdefault(step.namespace, []).append(step.path)
    found = {
        name: there
        for name, known in recorded.namespaces.items()
        if namespaces.is_ours(name, known) and (there := observe(name, paths.get(name, ()))) is not None
    }
    running = {device: engine.command for device, engine in recorded.engines.items() if engine.process.alive()}
    return Facts(found, running)
