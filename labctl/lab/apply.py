"""Steps become a lab, each an event: what goes, then what comes.

Engines are forked between the two, and begin when all is there. Then lines run that run once. Programs end before all
else, and start last.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

from labctl.errors import UsageError
from labctl.kernel import own_files
from labctl.kernel.perform import Performer
from labctl.lab import stray_processes
from labctl.lab.engines import start
from labctl.lab.events import Done, Listener, Waited
from labctl.lab.journal import Recorded
from labctl.lab.session import Session
from labctl.lab.state import State
from labctl.plan import steps
from labctl.plan.firewall import Applied
from labctl.plan.recorded import Substitution
from labctl.plan.steps import Step, StopProgram
from labctl.process import processes
from labctl.process.descriptors import many_descriptors
from labctl.process.disk import kept_in
from labctl.topology.program_ref import ProgramRef

WORTH_TELLING = 1.0
"""Seconds for which the kernel keeps new namespaces waiting, above which that is told."""


def apply(changes: Iterable[Step], session: Session) -> None:
    """Perform steps. Raise the LabError of the first that fails."""
    changes = list(changes)
    to_end = {step.spec.ref: step for step in changes if isinstance(step, StopProgram)}
    going = [step for step in changes if step.action == "remove" and not isinstance(step, StopProgram)]
    to_start = [step for step in changes if isinstance(step, steps.StartEngine | steps.StartCable)]
    to_run = [step for step in changes if isinstance(step, steps.StartProgram)]
    lines = [step for step in changes if isinstance(step, steps.RunLine)]
    apart = steps.StartEngine, steps.StartCable, steps.StartProgram, steps.RunLine
    coming = [step for step in changes if step.action != "remove" and not isinstance(step, apart)]
    state, notify = session.state, session.notify
    recorded = state.read()
    performer = Performer(recorded.mark, recorded.namespaces, state.record_namespace)
    do = partial(_do, performer, recorded, state)
    with many_descriptors(), closing(performer):
        if to_end:
            _end(to_end, {step.spec.ref for step in to_run}, recorded, session)
        _each(going, do, notify)
        with start.forked(to_start, session) as started:
            _each(coming, do, notify)
            if performer.waited.seconds > WORTH_TELLING:
                notify(Waited(performer.waited.seconds))
            performer.settle()
            for step in started:
                notify(Done(step))
        if lines:
            _run(lines, session)
        if to_run:
            _start(to_run, session)


def _end(
    programs: Mapping[ProgramRef, StopProgram], again: Collection[ProgramRef], recorded: Recorded, session: Session
) -> None:
    from labctl.lab.programs.stop import ended

    for ref in ended([recorded.programs[ref] for ref in programs]):
        if ref not in again:
            session.state.forget_program(ref)
        if ref in recorded.substitutions:
            session.state.forget_substitution(ref)
        session.notify(Done(programs[ref]))


def _run(lines: Iterable[steps.RunLine], session: Session) -> None:
    from labctl.lab import exec_lines

    for line in lines:
        exec_lines.run(line, session.state.lab)
        session.state.record_line(line.namespace, line.line)
        session.notify(Done(line))


def _start(programs: Sequence[steps.StartProgram], session: Session) -> None:
    from labctl.lab.programs.start import started

    for done in started(programs, session):
        session.notify(done)


def _each(changes: Iterable[Step], do: Callable[[Step], Substitution | None], notify: Listener) -> None:
    for step in changes:
        notify(Done(step, do(step)))


def _do(performer: Performer, recorded: Recorded, state: State, step: Step) -> Substitution | None:
    """Perform a step, and record what is there or gone with it. Return what stands in for what this machine lacks."""
    substitution = None
    match step:
        case steps.StopEngine():
            processes.end([recorded.engines[step.ref].process], processes.GRACE_OF_SUPERVISOR)
            state.forget_engine(step.ref)
        case steps.StopCable():
            processes.end([recorded.cables[step.ref].process], processes.GRACE_OF_SUPERVISOR)
            state.forget_cable(step.ref)
        case steps.AddNamespace(namespace=name):
            with kept_in(state.directory):
                own_files.forget(name)  # of a lab whose namespace of this name is gone
            performer.perform(step)
        case steps.WriteFile() | steps.MakeDirectory() | steps.RemoveFile():
            _file(step, state)
        case steps.WriteHosts(namespace=name, lines=lines):
            with kept_in(state.directory):
                state.files_of(name).write_hosts(lines)
        case steps.RemoveHosts(namespace=name):
            with kept_in(state.directory):
                state.files_of(name).remove_hosts()
        case steps.ImpairEngine():
            _impair(step, recorded, state)
        case steps.DeleteNamespace(namespace=name):
            stray_processes.end_inside([recorded.namespaces[name]])
            performer.perform(step)
            state.forget_namespace(name)
        case steps.SetFirewall(namespace=name, firewall=firewall):
            performer.perform(step)
            state.record_firewall(name, Applied(firewall, performer.listing(name)))
        case _:
            substitution = performer.perform(step)
            if isinstance(step, steps.DeleteLink) and step.ref in recorded.substitutions:
                state.forget_substitution(step.ref)
    if substitution:
        state.record_substitution(substitution)
    return substitution


def _file(step: steps.WriteFile | steps.MakeDirectory | steps.RemoveFile, state: State) -> None:
    own = state.files_of(step.namespace)
    if step.action != "remove" and (there := own.conflict(step.path, isinstance(step, steps.MakeDirectory))):
        raise UsageError(
            f"{step.namespace}: {step.words} cannot be shown",
            f"the machine has {there} at {step.path}, and one covers only what is like it",
            "`directory: true` covers a directory" if there == "a directory" else "choose another path",
        )
    with kept_in(own.directory):
        match step:
            case steps.WriteFile(path=path, mode=mode, content=content):
                state.record_file(step.namespace, path)
                own.write(path, content, mode)
            case steps.MakeDirectory(path=path, mode=mode):
                state.record_file(step.namespace, path)
                own.make(path, mode)
            case steps.RemoveFile(path=path):
                own.remove(path)
                state.forget_file(step.namespace, path)


def _impair(step: steps.ImpairEngine, recorded: Recorded, state: State) -> None:
    from labctl.lab.engines import control

    control.impair(step.ref, state, {step.direction: step.impairment.as_dict()})
    engine = recorded.engines[step.ref]
    recorded.engines[step.ref] = replace(engine, spec=engine.spec.impaired(step.direction, step.impairment))
    state.record_engine(recorded.engines[step.ref])  # with that of the other direction, which may be next
