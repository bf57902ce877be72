"""Up: observe, plan, apply; and what fails is taken back.

The same function makes a lab on a bare machine, finds nothing to do the second time, and repairs what has gone since.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from labctl.errors import LabError
from labctl.kernel import namespaces
from labctl.kernel.observe import observe
from labctl.lab.apply import apply
from labctl.lab.down import take_back
from labctl.lab.events import Listener, Planned, RollingBack
from labctl.lab.state import Recorded, State, locked, prepare_names
from labctl.plan.facts import Facts, Substitution
from labctl.plan.plan import plan, wanted
from labctl.plan.steps import AddNamespace, SetSysctl, Step
from labctl.topology.model import Topology


@dataclass(frozen=True)
class UpReport:
    """What `up` did: the steps that were missing, and what it used in place of what this machine lacks."""

    lab: str
    mode: str
    changes: tuple[Step, ...]
    substitutions: tuple[Substitution, ...]
    seconds: float


def up(topology: Topology, mode: str, notify: Listener) -> UpReport:
    """Make a lab what its topology says. Raises LabError; a lab that was not there before is then taken back."""
    began = time.monotonic()
    with locked(topology.name, create=True) as state:
        if state.begun() and not state.read().complete:
            notify(RollingBack("an earlier labctl up was cut off"))
            take_back(state, notify)
        recorded = state.read()
        steps = tuple(plan(topology, facts(topology, recorded)))
        try:
            _refuse_strangers(steps)
            notify(Planned(steps, fresh=not recorded.complete))
            if not state.begun():
                state.begin(mode)
            prepare_names()
            apply(steps, state, notify)
            state.complete(topology.model_dump_json(by_alias=True, exclude_defaults=True))
        except BaseException as error:
            if not recorded.complete:
                if state.begun():
                    notify(RollingBack(error.what if isinstance(error, LabError) else "interrupted"))
                take_back(state, notify)
                state.remove()
            raise
        return UpReport(
            topology.name, mode, steps, tuple(state.read().substitutions.values()), time.monotonic() - began
        )


def planned(topology: Topology) -> tuple[Step, ...]:
    """What `up` would do now; nothing is touched."""
    return tuple(plan(topology, facts(topology, State(topology.name).read())))


def facts(topology: Topology, recorded: Recorded) -> Facts:
    """What is there already of a lab: only what is recorded as its own counts."""
    paths: dict[str, list[str]] = {}
    for step in wanted(topology):
        if isinstance(step, SetSysctl):
            paths.setdefault(step.namespace, []).append(step.path)
    found = {
        name: there
        for name, known in recorded.namespaces.items()
        if namespaces.is_ours(name, known) and (there := observe(name, paths.get(name, ()))) is not None
    }
    running = {device: engine.command for device, engine in recorded.engines.items() if engine.process.alive()}
    return Facts(found, running)


def _refuse_strangers(steps: Iterable[Step]) -> None:
    """Before anything is made: a name that is to be made must be free."""
    for step in steps:
        if isinstance(step, AddNamespace) and namespaces.taken(step.namespace):
            raise namespaces.name_taken(step.namespace)
