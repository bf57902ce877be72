"""The faults as a list, with the topologies that can have them."""

from __future__ import annotations

from labctl.learn.challenges.choice import fitting
from labctl.learn.faults import FAULTS
from labctl.learn.faults.layout import Layout
from labctl.report.challenge_values import Listed
from labctl.topology.model import Topology
from labctl.topology.shipped import names


def catalogue(source: str | None) -> list[Listed]:
    """Return all faults, with the topologies that ship and can have each; or those that one topology can have."""
    topologies = [source] if source else names()
    able = {name: {fault.name for fault, _ in fitting(Layout(Topology.load(name)))} for name in topologies}
    found = [
        Listed(fault.name, fault.level, fault.words, tuple(name for name in topologies if fault.name in able[name]))
        for fault in sorted(FAULTS, key=lambda fault: fault.level)
    ]
    return [one for one in found if one.topologies]
