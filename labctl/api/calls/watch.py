"""The call that follows a lab: watch. What a view does meanwhile, it does beside."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.hosts.record import recorded
from labctl.lab.live.watch import Watch, Work


def watch(lab: str, works: Mapping[str, Work]) -> Watch:
    """Return a lab that is followed by some who look at it, from its context manager on."""
    if recorded(lab):
        from labctl.api.over_hosts.watch import watch

        return watch(lab, works)
    return Watch(lab, works)
