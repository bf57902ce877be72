"""Restart: engines end, and are started again as the topology of the lab says. Nothing else of the lab is touched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from labctl.errors import KernelRefused, LabError
from labctl.lab import names
from labctl.lab.apply import apply
from labctl.lab.engines.forkserver_client import Fork
from labctl.lab.engines.supervisor import ProgramFailed
from labctl.lab.lock import locked
from labctl.lab.session import Session
from labctl.lab.state import State, existing
from labctl.lab.status import EngineStatus, engine_status
from labctl.plan.desired import desired
from labctl.plan.steps import StartEngine, StopEngine
from labctl.process.signals import TERMINATION, ignored


def restart(lab: str, devices: Sequence[str], fork: Fork) -> tuple[EngineStatus, ...]:
    """End the engines of these devices, or all, and start them again; return them when they are ready.

    Raise UsageError for a lab or a device that does not exist, ProgramFailed for a program that does not become ready.
    """
    existing(lab)
    with locked(lab) as state:
        session = Session(state, fork, lambda _: None)
        topology = state.topology()
        if topology is None:
            raise KernelRefused(f"lab {lab} never came up", "its labctl up was cut off", f"labctl down -l {lab}")
        starts = {step.subject: step for step in desired(topology).steps if isinstance(step, StartEngine)}
        chosen = [starts[device] for device in names.chosen(lab, devices, starts, names.NO_ENGINE)]
        try:
            apply([*_stops(chosen, state), *chosen], session)
        except BaseException as error:
            if not isinstance(error, ProgramFailed):  # else it would fail again
                with ignored(*TERMINATION), suppress(LabError):
                    apply(_not_running(chosen, state), session)
            raise
        engines = state.read().engines
        return tuple(engine_status(engines[step.ref], state) for step in chosen)


def _stops(starts: Iterable[StartEngine], state: State) -> list[StopEngine]:
    engines = state.read().engines
    return [StopEngine(*step.ref, engines[step.ref].spec) for step in starts if step.ref in engines]


def _not_running(starts: Iterable[StartEngine], state: State) -> list[StartEngine]:
    engines = state.read().engines
    return [step for step in starts if step.ref not in engines or not engines[step.ref].process.alive()]
