"""The labs of this user on this machine, and where each of them lives."""

from __future__ import annotations

from labctl.hosts.record import refuse_over_hosts
from labctl.lab import run_directory
from labctl.lab.names import no_lab
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

    Raise UsageError where there is no such lab, and where it is over hosts: what asks has no way there.
    """
    refuse_over_hosts(lab)
    running = own_labs()
    if lab not in running:
        refuse_elsewhere(lab)
        raise no_lab(lab, running)
    return running[lab]
