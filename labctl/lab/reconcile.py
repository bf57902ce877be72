"""What is left to do for a lab: the difference between its topology and what is observed of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from labctl.kernel import namespaces
from labctl.lab import rulesets
from labctl.lab.challenge import refuse_while_hidden
from labctl.lab.journal import Recorded
from labctl.lab.state import State
from labctl.plan import steps
from labctl.plan.desired import Desired
from labctl.plan.difference import Change
from labctl.plan.facts import NOTHING
from labctl.plan.plan import Pending, between
from labctl.plan.steps_of_firewall import SetFirewall
from labctl.rootless.context import Context


def pending(wanted: Desired, state: State) -> Pending:
    """Return what `up` would do now; nothing is touched."""
    recorded = state.read()
    if not (recorded.namespaces or recorded.engines or recorded.programs):
        return between(wanted, NOTHING)
    from labctl.lab.observed import facts  # all that looks at the kernel, which a new lab does without

    return between(wanted, facts(state, recorded, wanted))


@dataclass(frozen=True)
class Planned:
    """What `up` would do; `file` is the one that the running lab was made from."""

    lab: str
    file: str
    pending: Pending


def planned(wanted: Desired, context: Context | None, file: str) -> Planned:
    """Return what `up` would do where the lab lives or would live; None where that is still to be made.

    Raise UsageError or MachineError where `up` would, UsageError while a challenge runs; `file` is that of the
    topology, empty where it is of none.
    """
    if context is None:
        found = Planned(wanted.topology.name, "", between(wanted, NOTHING))
    else:
        found = context.call(partial(_planned, wanted))
    rulesets.check(wanted.topology, with_ruleset(found.pending.changes), file)
    return found


def _planned(wanted: Desired) -> Planned:
    state = State(wanted.topology.name)
    refuse_while_hidden(state, "plan")
    recorded, found = state.read(), pending(wanted, state)
    check_names_free(found.changes, recorded)
    return Planned(state.lab, recorded.file, found)


def with_ruleset(changes: Iterable[Change]) -> frozenset[str]:
    """Return the namespaces that some changes give a firewall."""
    return frozenset(step.namespace for step, _ in changes if isinstance(step, SetFirewall))


def check_names_free(planned: Iterable[Change], recorded: Recorded) -> None:
    """Raise UsageError where a namespace is to be made whose name is taken.

    A name is free, too, if it is a claim of this lab that has lost its mount.
    """
    for step, _ in planned:
        if not isinstance(step, steps.AddNamespace) or not namespaces.taken(step.namespace):
            continue
        if step.namespace not in recorded.namespaces or not namespaces.is_claim(step.namespace):
            raise namespaces.name_taken(step.namespace)
