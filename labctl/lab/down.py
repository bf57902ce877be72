"""Down: end what is recorded, forget it. Needs no topology."""

from __future__ import annotations

from labctl.kernel import namespaces
from labctl.lab import processes
from labctl.lab.events import Listener, Removed
from labctl.lab.state import State, locked, tidy


def down(lab: str, notify: Listener) -> None:
    """End a lab: its engines, every process inside it, its namespaces, its state; or what an earlier down left of it.

    Raises UsageError where another labctl is at work on it.
    """
    if not State(lab).exists():
        tidy()
        return
    with locked(lab) as state:
        take_back(state, notify)


def take_back(state: State, notify: Listener) -> None:
    """End everything that is recorded, and record that nothing is left."""
    recorded = state.read()
    processes.end(engine.process for engine in recorded.engines.values())
    for device in recorded.engines:
        notify(Removed("engine", device))
    ours = {name for name, known in recorded.namespaces.items() if namespaces.is_ours(name, known)}
    # Whatever still runs in a namespace of ours was started there by somebody who knew that it is a lab;
    # as long as it lives, so does the namespace, without a name. Somebody may have taken the name away already.
    for guest in processes.end_inside(recorded.namespaces.values()):
        notify(Removed("process", str(guest.pid)))
    for name, known in recorded.namespaces.items():
        if namespaces.remove_own(name, known) if name in ours else namespaces.remove_claim(name):
            notify(Removed("namespace", name))
    state.reset()
