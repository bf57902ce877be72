"""Work that a host does for a lab over several: what is there of it, and what a check asks of its share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.api.caller import Caller, answer
from labctl.process.child import Tell

if TYPE_CHECKING:
    from labctl.lab.cables.status import CableStatus
    from labctl.lab.events import Removed
    from labctl.lab.reconcile import Planned
    from labctl.lab.status import Status
    from labctl.lab.up import UpReport
    from labctl.rootless.userns_diagnosis import Diagnosis
    from labctl.topology.model import Topology

WHILE_BUSY = 5.0
"""Seconds by which a cable may carry later on a busy host."""

ALONE = "alone"
"""What is told once no other checks of the lab are at work on this host."""


def begin(share: Topology, caller: Caller) -> tuple[UpReport, dict[str, CableStatus]]:
    """Make a share of a lab, tell of its cables, and join them as the caller says then.

    Return how the cables are, too. The share lasts as one that `up` makes.
    """
    from labctl.lab.engines.forkserver_client import forkserver

    with forkserver() as server:
        from labctl.api.sources import desired_of
        from labctl.api.work import lifecycle
        from labctl.engine.cable.no_core import dump_no_core
        from labctl.lab.cables.ends import PATIENCE, carriers, plug, waiting

        made, context = lifecycle.make(desired_of(share), "", False, None, server, caller)
    if not share.cables:
        return made, {}
    caller.tell(context.call(lambda: waiting(share.name)))
    dump_no_core()  # not before: what runs in the lab has been started, and keeps its own limit
    plugs = caller.hear()

    def join() -> dict[str, CableStatus]:
        plug(share.name, plugs)
        return carriers(share.name, PATIENCE + WHILE_BUSY)

    return made, context.call(join)


def plan(share: Topology, caller: Caller) -> Planned:
    """Look what `begin` would do."""
    from labctl.api.sources import desired_of
    from labctl.api.work import lifecycle

    return lifecycle.plan(desired_of(share), "")


def status(lab: str, caller: Caller) -> Status | None:
    """Look what is there of a lab of this name, also of another one than is meant; None where nothing is."""
    from functools import partial

    from labctl.lab.own_labs import own_labs
    from labctl.lab.status import status as status_of

    context = own_labs().get(lab)
    return context.call(partial(status_of, lab)) if context else None


def stands(lab: str, caller: Caller) -> tuple[str, Topology | None] | None:
    """Return the mark of a lab and what it was made of, if its `up` came to its end; None where there is none."""
    from labctl.lab.own_labs import own_labs
    from labctl.lab.state import State

    context = own_labs().get(lab)
    return context.call(lambda: (State(lab).read().mark, State(lab).topology())) if context else None


def end(lab: str, mark: str, caller: Caller) -> tuple[Removed, ...] | None:
    """End a lab, and return what was removed: nothing where it does not run.

    Where a mark is given and that is not the lab's, it is another one: leave it alone, and return None.
    """
    from labctl.hosts.record import is_another
    from labctl.lab.down import end as end_lab
    from labctl.lab.own_labs import mark_of, own_labs

    context = own_labs().get(lab)
    if context is None:
        return ()
    if is_another(mark, mark_of(lab, context)):
        return None
    return tuple(end_lab(lab, context))


def converse(lab: str, caller: Caller) -> None:
    """Have other checks of the lab wait on this host; tell when none is at work, and then answer the caller.

    A question is a method of AtHand with its arguments.
    """
    from labctl.lab.at_hand import at_hand
    from labctl.lab.own_labs import context_of

    def work(tell: Tell) -> None:
        with at_hand(lab) as here:
            tell(ALONE)
            answer(here, caller.hear, tell)

    context_of(lab).follow(work, caller.tell)


def cables(lab: str, patience: float, caller: Caller) -> dict[str, CableStatus]:
    """Return how the cables are, by name; wait `patience` seconds at most until all carry."""
    from labctl.lab.cables.ends import carriers
    from labctl.lab.own_labs import context_of

    return context_of(lab).call(lambda: carriers(lab, patience))


def ended(note: str, caller: Caller) -> bool:
    """Return whether a command that was run here ended with 255 by itself. Raise the error of labctl that ended it."""
    from labctl.hosts import notes

    return notes.taken(note)


def doctor(caller: Caller) -> list[Diagnosis]:
    """Find out what this host can do for a lab over several."""
    from labctl.api.work import operate
    from labctl.errors import MachineError
    from labctl.hosts import logind
    from labctl.lab.cables import library
    from labctl.rootless.userns_diagnosis import Diagnosis

    try:
        library.load()
        sealing = Diagnosis("cables", "ok", "the library that seals them is installed")
    except MachineError as error:
        sealing = Diagnosis("cables", "missing", error.why, error.hint)
    return [*operate.doctor(caller), sealing, logind.diagnosis()]
