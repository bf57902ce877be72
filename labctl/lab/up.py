"""Up: observe, plan, apply; and what fails is taken back.

The same function makes a lab on a bare machine, finds nothing to do the second time, and repairs what has gone since.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from labctl.errors import LabError
from labctl.kernel import namespaces
from labctl.kernel.signals import carry_on
from labctl.lab.apply import apply
from labctl.lab.down import take_back
from labctl.lab.events import Listener, Planned, RollingBack
from labctl.lab.gap import gap
from labctl.lab.state import locked, prepare_names
from labctl.plan.facts import Substitution
from labctl.plan.reasons import Change
from labctl.plan.steps import AddNamespace, Step
from labctl.topology.model import Topology


@dataclass(frozen=True)
class UpReport:
    """What `up` did: the steps that were missing, and what it used in place of what this machine lacks."""

    lab: str
    mode: str
    changes: tuple[Change, ...]
    substitutions: tuple[Substitution, ...]
    seconds: float


def up(topology: Topology, mode: str, notify: Listener) -> UpReport:
    """Make a lab what its topology says. Raises LabError; a lab that was not there before is then taken back."""
    began = time.monotonic()
    with locked(topology.name, create=True) as state:
        if state.begun() and not state.read().complete:
            notify(RollingBack("an earlier labctl up was cut off"))
            take_back(state, notify)
        recorded = state.read()
        changes = gap(topology, recorded)
        steps = tuple(change.step for change in changes)
        try:
            _refuse_strangers(steps)
            notify(Planned(changes, fresh=not recorded.complete))
            if not state.begun():
                state.begin(mode)
            prepare_names()
            apply(steps, state, notify)
            carry_on()  # the lab is made: nobody is told anything else from here on
            state.complete(topology.model_dump_json(by_alias=True, exclude_defaults=True))
        except BaseException as error:
            if not recorded.complete:
                carry_on()
                if state.begun():
                    notify(RollingBack(error.what if isinstance(error, LabError) else "interrupted"))
                take_back(state, notify)
            raise
        return UpReport(
            topology.name, mode, changes, tuple(state.read().substitutions.values()), time.monotonic() - began
        )


def _refuse_strangers(steps: Iterable[Step]) -> None:
    """Before anything is made: a name that is to be made must be free."""
    for step in steps:
        if isinstance(step, AddNamespace) and namespaces.taken(step.namespace):
            raise namespaces.name_taken(step.namespace)
