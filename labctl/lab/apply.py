"""Steps become a lab: each performed in order, each an event; engines start together and are waited for at the end."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from labctl.kernel.perform import Performer
from labctl.lab import engines
from labctl.lab.events import Done, Listener
from labctl.lab.state import State
from labctl.plan.steps import StartEngine, Step


def apply(steps: Iterable[Step], state: State, notify: Listener) -> None:
    """Perform the steps. Raises the LabError of the first that fails."""
    starting = []
    with closing(Performer(state.mark(), state.record_namespace)) as performer:
        for step in steps:
            if isinstance(step, StartEngine):
                starting.append((step, engines.start(step, state)))
                continue
            substitution = performer.perform(step)
            if substitution:
                state.record_substitution(substitution)
            notify(Done(step, substitution))
    for step, wait_until_ready in starting:
        wait_until_ready()
        notify(Done(step))
