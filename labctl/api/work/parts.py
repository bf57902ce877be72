"""Work that a host does for a lab over several: what is there of it, and its end, where there may be nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.api.caller import Caller

if TYPE_CHECKING:
    from labctl.lab.events import Removed
    from labctl.lab.status import Status
    from labctl.topology.model import Topology


def status(lab: str, caller: Caller) -> Status | None:
    """Look what is there of a lab; None where nothing is."""
    from labctl.api.work import inspect

    return inspect.status(lab, caller) if lab in inspect.running(caller) else None


def applied(lab: str, caller: Caller) -> Topology | None:
    """Return what a lab was made of; None where there is none, or its `up` was cut off."""
    from labctl.lab.own_labs import own_labs
    from labctl.lab.state import State

    context = own_labs().get(lab)
    return context.call(lambda: State(lab).topology()) if context else None


def end(lab: str, caller: Caller) -> tuple[Removed, ...]:
    """End a lab, and return what was removed: nothing where it does not run."""
    from labctl.lab.down import end as end_lab
    from labctl.lab.own_labs import own_labs

    context = own_labs().get(lab)
    return tuple(end_lab(lab, context)) if context else ()
