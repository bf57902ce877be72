"""What is left to do for a lab: the difference between its topology and what is observed of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from labctl.kernel import namespaces
from labctl.lab.journal import Recorded
from labctl.lab.observed import facts
from labctl.lab.state import State
from labctl.plan import steps
from labctl.plan.coverage import Coverage, coverage
from labctl.plan.desired import Desired, desired
from labctl.plan.difference import Change
from labctl.plan.facts import NOTHING, Facts
from labctl.plan.plan import changes
from labctl.rootless.context import Context
from labctl.topology.model import Topology


@dataclass(frozen=True)
class Pending:
    """What `up` would do, and what was looked at to know that."""

    changes: tuple[Change, ...]
    coverage: Coverage


def pending(wanted: Desired, state: State) -> Pending:
    """Return what `up` would do now; nothing is touched."""
    return between(wanted, facts(state, state.read(), wanted))


def between(wanted: Desired, found: Facts) -> Pending:
    """Return the same from what was observed already."""
    return Pending(changes(wanted, found), coverage(found))


@dataclass(frozen=True)
class Planned:
    """What `up` would do; `file` is the one that the running lab was made from."""

    lab: str
    file: str
    pending: Pending


def planned(topology: Topology, context: Context | None) -> Planned:
    """Return what `up` would do where the lab lives or would live; None where that is still to be made.

    Raise UsageError where `up` would.
    """
    wanted = desired(topology)
    if context is None:
        return Planned(topology.name, "", between(wanted, NOTHING))
    return context.call(partial(_planned, topology, wanted))


def _planned(topology: Topology, wanted: Desired) -> Planned:
    state = State(topology.name)
    recorded, found = state.read(), pending(wanted, state)
    check_names_free(found.changes, recorded)
    return Planned(topology.name, recorded.file, found)


def check_names_free(planned: Iterable[Change], recorded: Recorded) -> None:
    """Raise UsageError where a namespace is to be made whose name is taken.

    A name is free, too, if it is a claim of this lab that has lost its mount.
    """
    for step, _ in planned:
        if not isinstance(step, steps.AddNamespace) or not namespaces.taken(step.namespace):
            continue
        if step.namespace not in recorded.namespaces or not namespaces.is_claim(step.namespace):
            raise namespaces.name_taken(step.namespace)
