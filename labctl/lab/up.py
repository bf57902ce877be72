"""Up: observe, plan, apply; and roll back what fails.

The same function makes a lab on a bare machine, finds nothing to do the second time, and repairs what has gone since.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

from labctl.errors import KernelRefused, LabError, MachineError
from labctl.frozen import frozen
from labctl.kernel import namespaces
from labctl.lab import preflight
from labctl.lab.apply import apply
from labctl.lab.challenge import refuse_while_hidden
from labctl.lab.down import rollback
from labctl.lab.engines.forkserver_client import Fork
from labctl.lab.events import Listener, Planned, RollingBack
from labctl.lab.lock import locked
from labctl.lab.programs.errors import ProgramFailed
from labctl.lab.reconcile import pending
from labctl.lab.run_directory import prepare_names
from labctl.lab.session import Session
from labctl.lab.state import State
from labctl.plan.change import Change
from labctl.plan.coverage import Coverage
from labctl.plan.desired import Desired, desired
from labctl.plan.recorded import Ran, Substitution
from labctl.plan.steps import StartProgram
from labctl.process.signals import TERMINATION, ignored
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Topology

LOOKS = 3
"""How often what is left to do in a lab that was changed is done."""

HIDDEN = (
    "this is a mount namespace of its own (unshare -m, ip netns exec): "
    "outside it, neither `ip netns` nor labctl reaches these namespaces"
)


@frozen
class UpReport:
    """What `up` did: the steps that were missing, and what it used in place of what this machine lacks."""

    lab: str
    mode: str
    fresh: bool  # whether nothing of the lab was there before
    topology: Topology  # what it is from now on
    changes: tuple[Change, ...]
    substitutions: tuple[Substitution, ...]
    seconds: float
    coverage: Coverage  # what the first look took in
    notes: tuple[str, ...]  # what to know about where the lab lives
    mark: str = ""  # what tells it from another lab of the same name


@contextmanager
def up(wanted: Desired, file: str, mode: str, fork: Fork, notify: Listener) -> Iterator[UpReport]:
    """Make a lab what the topology of this file asks for. Yield the report; TERMINATION is ignored in the body.

    Raise LabError; UsageError while a challenge runs in it. A lab that was not there before is then removed, one that
    was is put back as it was.
    """
    began, topology = time.monotonic(), wanted.topology
    with ExitStack() as until_the_end:
        with locked(topology.name) as state:
            refuse_while_hidden(state, "up")
            session = Session(state, fork, notify)
            if state.begun() and not state.read().complete:
                notify(RollingBack("an earlier labctl up was cut off"))
                rollback(state, notify)
            recorded, before = state.read(), _topology_before(state)
            fresh = not recorded.complete
            looked = pending(wanted, state)
            changes = looked.changes
            preflight.check(changes, recorded, topology, file)
            try:
                notify(Planned(topology.name, changes, fresh))
                if not state.begun():
                    state.begin(mode)
                prepare_names()
                for name in recorded.namespaces:
                    namespaces.remove_claim(name)
                apply((change.step for change in changes), session)
                if changes and not fresh:
                    changes += _what_it_took_along(wanted, session)
                until_the_end.enter_context(ignored(*TERMINATION))  # from here on `up` does not fail
                state.complete(topology.as_record(), file)
                _forget_what_is_gone(topology, state)
                _record_order(wanted, state)
            except BaseException as error:
                until_the_end.enter_context(ignored(*TERMINATION))
                if fresh and state.begun():
                    notify(RollingBack(_why(error)))
                if fresh:
                    rollback(state, notify)
                elif changes and before:
                    notify(RollingBack(_why(error)))
                    _put_back(before, session.silent())
                raise
            made, notes = state.read(), _notes(topology)
        substitutions, seconds = tuple(made.substitutions.values()), time.monotonic() - began
        yield UpReport(
            topology.name, mode, fresh, topology, changes, substitutions, seconds, looked.coverage, notes, made.mark
        )


def _notes(topology: Topology) -> tuple[str, ...]:
    if any(namespaces.hidden_outside(name) for name in topology.namespaces):
        return (HIDDEN,)
    return ()


def _topology_before(state: State) -> Topology | None:
    """Return the topology as applied last; a damaged one is about to be written anew."""
    with suppress(MachineError):
        return state.topology()
    return None


def _why(error: BaseException) -> str:
    return error.what if isinstance(error, LabError) else "interrupted"


def _what_it_took_along(wanted: Desired, session: Session, looks: int = LOOKS) -> tuple[Change, ...]:
    """Observe again, and do what is left: a change of a running lab may take along what was not foreseen."""
    left = pending(wanted, session.state).changes
    if not left:
        return ()
    if not looks:
        told = ", ".join(map(str, left[:3]))
        raise KernelRefused(
            f"lab {session.state.lab} does not stay what its file says", told, "do two lines of the file contradict?"
        )
    session.notify(Planned(session.state.lab, left, fresh=False))
    apply((change.step for change in left), session)
    return left + _what_it_took_along(wanted, session, looks - 1)


def _put_back(before: Topology, session: Session) -> None:
    """Make a lab again what it was. Raise KernelRefused where that fails, ProgramFailed where a program of it does."""
    try:
        apply((change.step for change in pending(desired(before), session.state).changes), session)
    except ProgramFailed:  # it was edited, and its earlier version is not there any more
        raise
    except LabError as error:
        raise KernelRefused(
            f"lab {before.name} could not be put back as it was: {error.what}", error.why, "labctl status, labctl down"
        ) from None


def _forget_what_is_gone(topology: Topology, state: State) -> None:
    """Forget what was removed by hand, and is not in the file any more."""
    recorded = state.read()
    served = {endpoint.device for endpoint in topology.ttun}
    for device in recorded.engines:
        if device not in served:
            state.forget_engine(device)
    joined = {end.device for end in topology.part.cables} if topology.part else set()
    for device in recorded.cables:
        if device not in joined:
            state.forget_cable(device)
    for ref in recorded.programs:
        if ref.name not in _names_in(topology, ref.namespace):
            state.forget_program(ref)
    for name in recorded.namespaces:
        if name not in topology.namespaces:
            state.forget_namespace(name)
    for name, wanted in topology.namespaces.items():
        asked = {Ran(line.command, line.exit, line.cwd) for line in wanted.exec}
        for line in recorded.ran.get(name, set()) - asked:
            state.forget_line(name, line)
    for name in recorded.firewalls:
        space = topology.namespaces.get(name)
        if space is None or not (space.nft or space.masquerade):
            state.forget_firewall(name)
    for namespace, name in recorded.substitutions:
        if name not in _names_in(topology, namespace):
            state.forget_substitution(InterfaceRef(namespace, name))


def _record_order(wanted: Desired, state: State) -> None:
    """Record of programs that were not started again after which others the file has them now: `down` goes by that."""
    recorded = state.read().programs
    for step in wanted.steps:
        if isinstance(step, StartProgram) and (known := recorded.get(step.spec.ref)) and known.spec != step.spec:
            state.record_program(replace(known, spec=step.spec))


def _names_in(topology: Topology, namespace: str) -> tuple[str, ...]:
    """Return the names of the interfaces and the programs of a namespace, which all differ."""
    space = topology.namespaces.get(namespace)
    return (*space.interfaces, *(program.name for program in space.programs)) if space else ()
