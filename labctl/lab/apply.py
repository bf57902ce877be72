"""Steps become a lab, each an event: what goes, then what comes. Engines are forked between the two, and begin last."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from functools import partial

from labctl.engine.packets.impairment import Impairment
from labctl.kernel.perform import Performer
from labctl.lab import stray_processes
from labctl.lab.engines import control, start
from labctl.lab.events import Done, Listener
from labctl.lab.journal import Recorded
from labctl.lab.session import Session
from labctl.lab.state import State
from labctl.plan.facts import Substitution
from labctl.plan.impairing import Command
from labctl.plan.steps import DeleteLink, DeleteNamespace, ImpairEngine, Removal, StartEngine, Step, StopEngine
from labctl.process import processes
from labctl.process.descriptors import many_descriptors


def apply(steps: Iterable[Step], session: Session) -> None:
    """Perform the steps. Raise the LabError of the first that fails."""
    steps = list(steps)
    going = [step for step in steps if isinstance(step, Removal)]
    to_start = [step for step in steps if isinstance(step, StartEngine)]
    coming = [step for step in steps if not isinstance(step, Removal | StartEngine)]
    state, notify = session.state, session.notify
    recorded = state.read()
    performer = Performer(recorded.mark, recorded.namespaces, state.record_namespace)
    do = partial(_do, performer, recorded, state)
    with many_descriptors(), closing(performer):
        _each(going, do, notify)
        with start.forked(to_start, session) as started:
            _each(coming, do, notify)
            performer.notice_carriers()
            for step in started:
                notify(Done(step))


def _each(steps: Iterable[Step], do: Callable[[Step], Substitution | None], notify: Listener) -> None:
    for step in steps:
        notify(Done(step, do(step)))


def _do(performer: Performer, recorded: Recorded, state: State, step: Step) -> Substitution | None:
    """Perform a step, and record what is there or gone with it; gives what stands in for what this machine lacks."""
    substitution = None
    match step:
        case StopEngine():
            processes.end([recorded.engines[step.subject].process])
            state.forget_engine(step.subject)
        case ImpairEngine():
            _impair(step, recorded, state)
        case DeleteNamespace(namespace=name):
            stray_processes.end_inside([recorded.namespaces[name]])
            performer.perform(step)
            state.forget_namespace(name)
        case _:
            substitution = performer.perform(step)
            if isinstance(step, DeleteLink) and step.subject in recorded.substitutions:
                state.forget_substitution(step.subject)
    if substitution:
        state.record_substitution(substitution)
    return substitution


def _impair(step: ImpairEngine, recorded: Recorded, state: State) -> None:
    control.impair(step.subject, state, {step.direction: Impairment.from_text(step.impairment).as_dict()})
    engine = recorded.engines[step.subject]
    command = Command.of(engine.command).with_impairment(step.direction, step.impairment)
    recorded.engines[step.subject] = replace(engine, command=str(command))  # its other direction may be next
    state.record_engine(step.subject, recorded.engines[step.subject])
