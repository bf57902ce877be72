"""Steps become a lab: each performed in order, each an event; engines are forked first and begin last."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from labctl.kernel.descriptors import many_descriptors
from labctl.kernel.perform import Performer
from labctl.lab import engines, guests, processes
from labctl.lab.events import Done, Listener
from labctl.lab.starting import Fork
from labctl.lab.state import State
from labctl.plan.steps import DeleteLink, DeleteNamespace, StartEngine, Step, StopEngine


def apply(steps: Iterable[Step], state: State, fork: Fork, notify: Listener) -> None:
    """Perform the steps. Raises the LabError of the first that fails."""
    steps = list(steps)
    recorded = state.read()
    to_start = [step for step in steps if isinstance(step, StartEngine)]
    performer = Performer(recorded.mark, recorded.namespaces, state.record_namespace)
    with engines.forked(to_start, state, fork) as begin:
        with many_descriptors(), closing(performer):
            for step in steps:
                substitution = None
                match step:
                    case StartEngine():
                        continue
                    case StopEngine():
                        processes.end([recorded.engines[step.subject].process])
                        state.forget_engine(step.subject)
                    case DeleteNamespace():
                        guests.end_inside([recorded.namespaces[step.namespace]])
                        performer.perform(step)
                        state.forget_namespace(step.namespace)
                    case _:
                        substitution = performer.perform(step)
                        if isinstance(step, DeleteLink) and step.subject in recorded.substitutions:
                            state.forget_substitution(step.subject)
                if substitution:
                    state.record_substitution(substitution)
                notify(Done(step, substitution))
        for step in begin():
            notify(Done(step))
