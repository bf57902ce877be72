"""A lab from its beginning to its end. Every function runs where the lab lives, on the machine or in a room.

up      observe, plan, apply; what fails is taken back
status  what is there, and what the engines have counted
down    end what is recorded, forget it
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from labctl.errors import LabError, UsageError
from labctl.kernel import namespaces
from labctl.kernel.observe import observe
from labctl.kernel.perform import Substitution
from labctl.lab import engines, processes
from labctl.lab.apply import apply
from labctl.lab.events import Listener, Planned, Removed, RollingBack
from labctl.lab.state import Recorded, State, locked, prepare_names
from labctl.plan.facts import Facts, Namespace
from labctl.plan.plan import plan, wanted
from labctl.plan.steps import AddNamespace, SetSysctl, StartEngine, Step
from labctl.topology.model import Topology


@dataclass(frozen=True)
class UpReport:
    """What `up` did: the steps that were missing, and what it used in place of what this machine lacks."""

    lab: str
    mode: str
    changes: tuple[Step, ...]
    substitutions: tuple[Substitution, ...]
    seconds: float


@dataclass(frozen=True)
class EngineStatus:
    """One engine: whether it runs, as which PID, and its counters by name."""

    device: str
    command: str
    running: bool
    pid: int
    counters: dict[str, int]


@dataclass(frozen=True)
class Status:
    """What is there of a lab. A namespace that is gone is None."""

    lab: str
    mode: str
    namespaces: dict[str, Namespace | None]
    engines: tuple[EngineStatus, ...]
    substitutions: tuple[Substitution, ...] = field(default=())


@dataclass(frozen=True)
class Summary:
    """One line about a lab; `complete` is false where its `up` was cut off."""

    lab: str
    mode: str
    complete: bool
    namespaces: int
    engines: int
    engines_running: int


def up(topology: Topology, mode: str, notify: Listener) -> UpReport:
    """Make a lab what its topology says. Raises LabError; a lab that was not there before is then taken back."""
    began = time.monotonic()
    with locked(topology.name, create=True) as state:
        recorded = state.read()
        written = topology.model_dump_json(by_alias=True, exclude_defaults=True)
        if recorded.complete and state.topology() != written:
            raise UsageError(
                f"lab {topology.name} is up, from a file that said something else",
                "a running lab is not changed yet, only repaired",
                f"labctl down -l {topology.name}, then labctl up again; or give this one a name with --name",
            )
        steps = tuple(plan(topology, _facts(topology, recorded)))
        _refuse_strangers(steps, state)
        notify(Planned(steps))
        try:
            if not recorded.boot:
                state.begin(mode)
            prepare_names()
            apply(steps, state, notify)
            state.complete(written)
        except BaseException as error:
            if not recorded.complete:
                notify(RollingBack(error.what if isinstance(error, LabError) else "interrupted"))
                _take_back(state, notify)
            raise
        return UpReport(topology.name, mode, steps, tuple(state.read().substitutions), time.monotonic() - began)


def _facts(topology: Topology, recorded: Recorded) -> Facts:
    """What is there already of a lab: only what is recorded as its own counts."""
    keys: dict[str, list[str]] = {}
    for step in wanted(topology):
        if isinstance(step, SetSysctl):
            keys.setdefault(step.namespace, []).append(step.path)
    found = {
        name: there
        for name, known in recorded.namespaces.items()
        if namespaces.identity(name) == known and (there := observe(name, keys.get(name, ()))) is not None
    }
    running = frozenset(device for device, process in recorded.engines.items() if process.alive())
    return Facts(found, running)


def _refuse_strangers(steps: Iterable[Step], state: State) -> None:
    """Before anything is made: a name that is to be made must be free."""
    for step in steps:
        if isinstance(step, AddNamespace) and namespaces.identity(step.namespace) is not None:
            if not state.read().boot:
                state.remove()
            raise namespaces.name_taken(step.namespace)


def down(lab: str, notify: Listener) -> None:
    """End a lab: its engines, every process inside it, its namespaces, its state. Needs no topology."""
    with locked(lab) as state:
        _take_back(state, notify)


def _take_back(state: State, notify: Listener) -> None:
    recorded = state.read()
    ours = recorded.namespaces
    processes.end(recorded.engines.values())
    for device in recorded.engines:
        notify(Removed(f"engine {device}"))
    # Whatever still runs in a namespace of ours was started there by somebody who knew that it is a lab;
    # as long as it lives, so does the namespace, without a name.
    guests = processes.inside(ours.values())
    processes.end(guests)
    for guest in guests:
        notify(Removed(f"process {guest.pid}"))
    for name, known in ours.items():
        if namespaces.remove(name, known):
            notify(Removed(f"namespace {name}"))
    state.remove()


def status(lab: str) -> Status:
    """What is there of a lab. Raises UsageError where there is no such lab."""
    state = existing(lab)
    recorded = state.read()
    topology = topology_of(state)
    commands = {s.subject: s.command for s in wanted(topology) if isinstance(s, StartEngine)} if topology else {}
    return Status(
        lab,
        recorded.mode,
        {
            name: observe(name) if namespaces.identity(name) == known else None
            for name, known in recorded.namespaces.items()
        },
        tuple(
            EngineStatus(
                device, commands.get(device, "ttun"), process.alive(), process.pid, engines.counted(device, state)
            )
            for device, process in recorded.engines.items()
        ),
        tuple(recorded.substitutions),
    )


def summary(lab: str) -> Summary:
    """One line about a lab that is there."""
    recorded = existing(lab).read()
    running = sum(process.alive() for process in recorded.engines.values())
    return Summary(lab, recorded.mode, recorded.complete, len(recorded.namespaces), len(recorded.engines), running)


def existing(lab: str) -> State:
    """The state of a lab that is there. Raises UsageError where it is not."""
    state = State(lab)
    if not state.exists():
        raise UsageError(f"there is no lab named {lab}", "", "labctl list shows what is running")
    return state


def topology_of(state: State) -> Topology | None:
    """The topology as applied, None where `up` never got to its end."""
    text = state.topology()
    return Topology.model_validate_json(text) if text else None
