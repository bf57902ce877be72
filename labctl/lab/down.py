"""Down: end what is recorded, forget it. Needs no topology."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from labctl.errors import UsageError
from labctl.kernel import namespaces
from labctl.lab import stray_processes
from labctl.lab.events import Removed
from labctl.lab.lock import locked
from labctl.lab.state import State
from labctl.process import processes
from labctl.process.disk import removable


@contextmanager
def down(lab: str, mode: str) -> Iterator[list[Removed]]:
    """End a lab: its engines, every process inside it, its namespaces, its state; or what an earlier down left of it.

    Gives what was removed; as long as the body lasts, nobody else can make a lab of that name there.
    Raises UsageError where another labctl is at work on it.
    """
    removed: list[Removed] = []
    with locked(lab) as state:
        if mode == "root" and state.read().mode == "rootless":  # its room would end, and this very command in it
            raise UsageError(
                f"this is inside of lab {lab}", "it would end before it could be told", "leave it: labctl down outside"
            )
        rollback(state, removed.append)
        yield removed


def rollback(state: State, notify: Callable[[Removed], None]) -> None:
    """End everything that is recorded, and record that nothing is left."""
    recorded = state.read()
    with removable(state.lab):
        processes.end(engine.process for engine in recorded.engines.values())
        for device in recorded.engines:
            notify(Removed("engine", device))
        ours = {name for name, known in recorded.namespaces.items() if namespaces.is_ours(name, known)}
        # Whatever still runs in a namespace of ours was started there by somebody who knew that it is a lab;
        # as long as it lives, so does the namespace, without a name. Somebody may have taken the name away already.
        for guest in stray_processes.end_inside(recorded.namespaces.values()):
            notify(Removed("process", str(guest.pid)))
        for name, known in recorded.namespaces.items():
            if namespaces.remove_own(name, known) if name in ours else namespaces.remove_claim(name):
                notify(Removed("namespace", name))
        state.reset()
