"""What a lab is made of: a topology that was built, a file, or a topology that ships with labctl."""

from __future__ import annotations

import os
from pathlib import Path

from labctl.errors import UsageError
from labctl.plan.desired import Desired
from labctl.topology.load import load_routed
from labctl.topology.model import Topology
from labctl.topology.program_paths import anchored
from labctl.topology.rename import renamed
from labctl.topology.routed import Routed
from labctl.topology.shipped import find
from labctl.topology.unknown_names import listed


def desired_of(source: str | Topology, name: str | None = None) -> Desired:
    """Return what a topology asks for of this machine, renamed to `name`.

    Raise UsageError where it is wrong or not there, or is one over several hosts.
    """
    routed = routed_of(source, name)
    refuse_hosts(routed.topology, "this is for a lab on one machine")
    return Desired.of(routed)


def refuse_hosts(topology: Topology, why: str) -> None:
    """Raise UsageError for a topology of a lab over hosts, where there is no way for one."""
    if topology.hosts:
        what = f"lab {topology.name} is over the hosts {listed([*topology.hosts])}"
        raise UsageError(what, why, "without `hosts` the same file is a lab on one machine")


def routed_of(source: str | Topology, name: str | None = None, inventory: str | None = None) -> Routed:
    """Return a topology with the ways of its tunnels, renamed to `name`, over the hosts of an inventory.

    Raise UsageError, or its TopologyMistakes.
    """
    if inventory is not None:
        from labctl.topology.inventory import load_over, spread_over  # which no lab on one machine needs

        over = Path(inventory)
        routed = spread_over(source, over) if isinstance(source, Topology) else load_over(find(source), over)
    elif isinstance(source, Topology):
        routed = Routed.of(anchored(source, os.getcwd()))  # where it names a directory, that begins here
    else:
        routed = load_routed(find(source))
    return renamed(routed, name) if name is not None else routed
