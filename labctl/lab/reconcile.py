"""What is left to do for a lab: the difference between its topology and what is observed of it."""

from __future__ import annotations

from functools import partial

from labctl.frozen import frozen
from labctl.lab import preflight
from labctl.lab.challenge import refuse_while_hidden
from labctl.lab.state import State
from labctl.plan.desired import Desired
from labctl.plan.facts import NOTHING
from labctl.plan.plan import Pending, between
from labctl.rootless.context import Context


def pending(wanted: Desired, state: State) -> Pending:
    """Return what `up` would do now; nothing is touched."""
    recorded, found = state.read(), NOTHING
    if recorded.namespaces or recorded.engines or recorded.programs or recorded.cables:
        from labctl.lab.observed import facts  # all that looks at the kernel, which a new lab does without

        found = facts(state, recorded, wanted)
    return between(wanted, found)


@frozen
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
    if context is not None:
        return context.call(partial(_planned, wanted, file))
    preflight.check_rulesets(wanted.topology.namespaces, wanted.topology, file)
    return Planned(wanted.topology.name, "", between(wanted, NOTHING))


def _planned(wanted: Desired, file: str) -> Planned:
    state = State(wanted.topology.name)
    refuse_while_hidden(state, "plan")
    recorded = state.read()
    # What an `up` that was cut off has left, `up` takes back before it begins.
    found = pending(wanted, state) if recorded.complete else between(wanted, NOTHING)
    preflight.check(found.changes, recorded, wanted.topology, file)
    return Planned(state.lab, recorded.file, found)
