"""The labs of this user on this machine, and where each of them lives."""

from __future__ import annotations

import os

from labctl.hosts.record import PART, refuse_over_hosts
from labctl.lab import run_directory
from labctl.lab.names import no_lab, refuse_another
from labctl.lab.state import State
from labctl.rootless.context import Context, contexts, refuse_elsewhere


def own_labs() -> dict[str, Context]:
    """Return every lab of this user on this machine, with the context in which it runs."""
    return {
        name: context
        for context in contexts()
        for name in ([context.lab] if context.lab else context.call(run_directory.recorded_labs))
    }


def context_of(lab: str) -> Context:
    """Return the context in which a lab of this user runs.

    Raise UsageError where there is no such lab, where it is over hosts: what asks has no way there; and where it is to
    be a part of a lab over hosts, and is another one of that name.
    """
    refuse_over_hosts(lab)
    running = own_labs()
    if lab not in running:
        refuse_elsewhere(lab)
        raise no_lab(lab, running)
    context = running[lab]
    if os.environ.get(PART):  # else the mark need not be asked for
        refuse_another(lab, mark_of(lab, context))
    return context


def mark_of(lab: str, context: Context) -> str:
    """Return what tells a lab that runs from another one of the same name. Raise MachineError."""
    mark: str = context.call(lambda: State(lab).read().mark)
    return mark
