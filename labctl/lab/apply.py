"""Steps become a lab: each performed in order, each an event; engines start together and are waited for at the end."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from labctl.kernel.descriptors import many_descriptors
from labctl.kernel.perform import Performer
from labctl.lab import engines, processes
from labctl.lab.events import Done, Listener
from labctl.lab.state import State
from labctl.plan.steps import DeleteLink, DeleteNamespace, StartEngine, Step, StopEngine


def apply(steps: Iterable[Step], state: State, notify: Listener) -> None:
    """Perform the steps. Raises the LabError of the first that fails."""
    recorded = state.read()
    engines_to_start = []
    performer = Performer(recorded.mark, recorded.namespaces, state.record_namespace)
    with many_descriptors() as put_back:
        with closing(performer):
            for step in steps:
                substitution = None
                match step:
                    case StartEngine():
                        engines_to_start.append(step)
                        continue
                    case StopEngine():
                        processes.end([recorded.engines[step.subject].process])
                        state.forget_engine(step.subject)
                    case DeleteNamespace():
                        processes.end_inside([recorded.namespaces[step.namespace]])
                        performer.perform(step)
                        state.forget_namespace(step.namespace)
                    case _:
                        substitution = performer.perform(step)
                        if isinstance(step, DeleteLink) and step.subject in recorded.substitutions:
                            state.forget_substitution(step.subject)
                if substitution:
                    state.record_substitution(substitution)
                notify(Done(step, substitution))
        # The performer's sockets, two descriptors for each namespace, are closed: every engine would inherit them all.
        for step in engines.start(engines_to_start, state, put_back):
            notify(Done(step))
