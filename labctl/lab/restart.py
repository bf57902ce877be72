"""Restart: engines and programs end, and are started again as the topology of the lab says. The rest is not touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from labctl.errors import LabError
from labctl.frozen import frozen
from labctl.lab import names
from labctl.lab.apply import apply
from labctl.lab.challenge import refuse_while_hidden
from labctl.lab.engines.forkserver_client import Fork
from labctl.lab.journal import CableEngine, Engine, Program, Recorded
from labctl.lab.lock import locked
from labctl.lab.programs.errors import ProgramFailed
from labctl.lab.session import Session
from labctl.lab.state import State, applied, existing
from labctl.lab.status import EngineStatus, ProgramStatus, engine_status, program_status
from labctl.plan.desired import desired
from labctl.plan.steps import StartCable, StartEngine, StartProgram, Step, StopCable, StopEngine, StopProgram
from labctl.process.signals import TERMINATION, ignored

if TYPE_CHECKING:
    from labctl.lab.cables.status import CableStatus

Start = StartEngine | StartProgram | StartCable


@frozen
class Restarted:
    """What was started again."""

    engines: tuple[EngineStatus, ...]
    programs: tuple[ProgramStatus, ...]
    cables: tuple[CableStatus, ...] = ()
    """The ends of cables to other hosts: each has to be joined with its other end anew."""


def restart(lab: str, named: Sequence[str], fork: Fork) -> Restarted:
    """End the engines and programs that are named, or all, and start them again; return them when they are ready.

    While a challenge runs, who does not know which is refused; one that is named is a repair like any other.
    Raise UsageError for a lab or a name that does not exist, ProgramFailed for a program that does not become ready.
    """
    existing(lab)
    with locked(lab) as state:
        if not named:
            refuse_while_hidden(state, "restart without a name")
        session = Session(state, fork, lambda _: None)
        found = (step for step in desired(applied(state)).steps if isinstance(step, Start))
        starts = {step.subject: step for step in found}
        chosen = [starts[name] for name in names.chosen(lab, named, starts, names.NOTHING_RUNS)]
        try:
            apply([*_stops(chosen, state.read()), *chosen], session)
        except BaseException as error:
            if not isinstance(error, ProgramFailed):  # else it would fail again
                with ignored(*TERMINATION), suppress(LabError):
                    apply(_not_running(chosen, state.read()), session)
            raise
        recorded = state.read()
        return Restarted(
            tuple(engine_status(recorded.engines[step.ref], state) for step in chosen if isinstance(step, StartEngine)),
            tuple(
                program_status(recorded.programs[step.spec.ref], state)
                for step in chosen
                if isinstance(step, StartProgram)
            ),
            tuple(_cables((step for step in chosen if isinstance(step, StartCable)), recorded, state)),
        )


def _cables(starts: Iterable[StartCable], recorded: Recorded, state: State) -> Iterator[CableStatus]:
    for step in starts:
        from labctl.lab.cables.ends import cable_status  # which a lab on one machine does without

        yield cable_status(recorded.cables[step.ref], state)


def _stops(starts: Iterable[Start], recorded: Recorded) -> Iterable[Step]:
    for step in starts:
        if isinstance(step, StartProgram):
            if step.spec.ref in recorded.programs:
                yield StopProgram(step.namespace, recorded.programs[step.spec.ref].spec)
        elif isinstance(step, StartCable):
            if step.ref in recorded.cables:
                yield StopCable(*step.ref, recorded.cables[step.ref].spec)
        elif step.ref in recorded.engines:
            yield StopEngine(*step.ref, recorded.engines[step.ref].spec)


def _not_running(starts: Iterable[Start], recorded: Recorded) -> Iterable[Step]:
    for step in starts:
        if isinstance(step, StartProgram):
            known: Engine | Program | CableEngine | None = recorded.programs.get(step.spec.ref)
        elif isinstance(step, StartCable):
            known = recorded.cables.get(step.ref)
        else:
            known = recorded.engines.get(step.ref)
        if known is None or not known.process.alive():
            yield step
