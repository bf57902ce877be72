"""The labs of this user, and where each of them lives."""

from __future__ import annotations

from labctl.hosts.context import OverHosts
from labctl.hosts.record import recorded_labs
from labctl.lab import run_directory
from labctl.lab.names import no_lab
from labctl.rootless.context import Context, contexts, refuse_elsewhere


def own_labs() -> dict[str, Context]:
    """Return every lab of this user, with the context in which it runs.

    One over hosts hides what is of it on this machine.
    """
    here: dict[str, Context] = {
        name: context
        for context in contexts()
        for name in ([context.lab] if context.lab else context.call(run_directory.recorded_labs))
    }
    return {**here, **{lab: OverHosts(lab) for lab in recorded_labs()}}


def context_of(lab: str) -> Context:
    """Return the context in which a lab of this user runs. Raise UsageError where there is no such lab."""
    running = own_labs()
    if lab not in running:
        refuse_elsewhere(lab)
        raise no_lab(lab, running)
    return running[lab]
