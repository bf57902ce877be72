"""The faults that a challenge hides in a lab, a module for each subject."""

from __future__ import annotations

from labctl.learn.faults import addresses, engines, firewalls, links, neighbours, routes, settings
from labctl.learn.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (
    *links.FAULTS,
    *addresses.FAULTS,
    *routes.FAULTS,
    *neighbours.FAULTS,
    *settings.FAULTS,
    *firewalls.FAULTS,
    *engines.FAULTS,
)
