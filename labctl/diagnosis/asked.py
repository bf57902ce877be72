"""What a check asks, in the words of a path: from where to where, and what is meant to come of it."""

from __future__ import annotations

from labctl.checks.kinds import kind_of
from labctl.checks.results import WANTED
from labctl.diagnosis.path import Asked, Paths
from labctl.topology.model import Check


def asked_of(check: Check, paths: Paths) -> Asked | None:
    """Return what a check asks; None where no packets of it are known.

    Where an answer is expected, the namespace that has the address is meant to give it.
    """
    target = kind_of(check.probe).target()
    if target is None:
        return None
    arrives = WANTED[check.expect] == "answered"
    meant = target.receiver
    if not meant and arrives:
        owners = paths.owners(target.sender, target.to)
        last = check.crosses[-1].namespace if check.crosses else ""
        meant = last or (owners.pop() if len(owners) == 1 else "")
    return Asked(
        target.sender,
        target.to,
        target.protocol,
        target.port,
        target.size,
        meant if arrives else "",
        arrives and target.replied,
        target.own_server,
        check.crosses,
        target.measured,
    )
