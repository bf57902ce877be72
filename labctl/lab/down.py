"""Down: end what is recorded of labs, and forget them. Needs no topology."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from labctl.errors import LabError
from labctl.frozen import frozen
from labctl.kernel import namespaces
from labctl.lab import stray_processes
from labctl.lab.ended_labs import refuse_misspelled, remembered
from labctl.lab.events import Removed
from labctl.lab.lock import locked
from labctl.lab.run_directory import tidy
from labctl.lab.state import State
from labctl.process import processes
from labctl.process.disk import removable
from labctl.rootless.context import Context, contexts


@frozen
class DownReport:
    """What was removed, by lab, and why others could not be ended."""

    removed: Mapping[str, Sequence[Removed]]
    failed: Sequence[LabError]


def down(labs: Sequence[str], running: Mapping[str, Context]) -> DownReport:
    """End these of the running labs. One that does not run is left out, one that cannot be ended is reported.

    Raise UsageError for a lab that does not run and whose name is another user's, or misspelled.
    """
    removed: dict[str, Sequence[Removed]] = {}
    failed: list[LabError] = []
    for lab in labs:
        if lab not in running:
            refuse_misspelled(lab, running)
            continue
        others = {other: context for other, context in running.items() if other not in labs}
        try:
            with remembered(lab, running[lab], others):
                removed[lab] = end(lab, running[lab])
        except LabError as error:  # one that cannot be ended is not in the way of the others
            failed.append(error)
    if not (removed or failed):
        for context in contexts():
            context.call(tidy)  # an earlier down may have been killed at its very end
    return DownReport(removed, failed)


def end(lab: str, context: Context) -> Sequence[Removed]:
    """End a running lab and the context that it has to itself. Return what was removed.

    Raise UsageError where another labctl is at work on it.
    """
    return context.end(lab, partial(_ended, lab))


@contextmanager
def _ended(lab: str) -> Iterator[list[Removed]]:
    """End a lab: programs, engines, every process inside it, namespaces, state; or what an earlier down left of it.

    Yield what was removed. As long as the body lasts, no other labctl makes a lab of that name there.
    """
    removed: list[Removed] = []
    with locked(lab) as state:
        rollback(state, removed.append)
        yield removed


def rollback(state: State, notify: Callable[[Removed], object]) -> None:
    """End everything that is recorded, and record that nothing is left."""
    recorded = state.read()
    with removable(state.lab):
        if recorded.programs:
            from labctl.lab.programs import stop

            for ref in stop.ended(recorded.programs.values()):
                notify(Removed("program", str(ref)))
        processes.end(recorded.engine_processes, processes.GRACE_OF_SUPERVISOR)
        for device in (*recorded.engines, *recorded.cables):
            notify(Removed("engine", str(device)))
        ours = {name for name, known in recorded.namespaces.items() if namespaces.is_ours(name, known)}
        # What still runs in a namespace of ours was started there on purpose. As long as it lives, so does the
        # namespace, without a name; the name may be gone already (ip netns delete).
        for guest in stray_processes.end_inside(recorded.namespaces.values()):
            notify(Removed("process", str(guest.pid)))
        for name, known in recorded.namespaces.items():
            if namespaces.remove_own(name, known) if name in ours else namespaces.remove_claim(name):
                notify(Removed("namespace", name))
        state.reset()
