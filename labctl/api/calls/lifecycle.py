"""Calls that make, change and end a lab: up, restart, plan, down."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labctl.api.caller import Caller
from labctl.api.work import lifecycle as work
from labctl.hosts.record import recorded, recorded_labs, refuse_recorded

if TYPE_CHECKING:
    from labctl.lab.down import DownReport
    from labctl.lab.reconcile import Planned
    from labctl.lab.restart import Restarted
    from labctl.lab.up import UpReport
    from labctl.process.processes import Process
    from labctl.topology.model import Topology


def up(
    source: str | Topology, name: str | None, inventory: str | None, fresh: bool, owner: Process | None, caller: Caller
) -> UpReport:
    """Make a lab what a topology asks for, and tell the steps; end one of that name first if it is to be `fresh`.

    It is over the hosts of an inventory, where one is named. A new one ends with its owner, where it has one.
    """
    from labctl.lab.engines.forkserver_client import forkserver

    with forkserver() as server:  # first of all: it has something to load
        from labctl.api.sources import routed_of

        routed = routed_of(source, name, inventory)
        if routed.topology.hosts:
            from labctl.api.over_hosts.up import up

            return up(routed.topology, routed.file, os.path.abspath(inventory) if inventory else "", fresh, caller)
        refuse_recorded(routed.topology.name)
        from labctl.plan.desired import Desired

        return work.make(Desired.of(routed), routed.file, fresh, owner, server, caller)[0]


def plan(source: str | Topology, name: str | None, inventory: str | None, caller: Caller) -> Planned:
    """Look what `up` would do."""
    from labctl.api.sources import routed_of
    from labctl.plan.desired import Desired

    routed = routed_of(source, name, inventory)
    if routed.topology.hosts:
        from labctl.api.over_hosts.plan import plan

        return plan(routed.topology)
    refuse_recorded(routed.topology.name)
    return work.plan(Desired.of(routed), routed.file)


def restart(lab: str, named: Sequence[str], caller: Caller) -> Restarted:
    """End engines and programs of a lab, and start them again."""
    if record := recorded(lab):
        from labctl.api.over_hosts.restart import restart

        return restart(record, named)
    return work.restart(lab, named, caller)


def down(labs: Sequence[str], caller: Caller) -> DownReport:
    """End labs. One that does not run is left out, one that cannot be ended is reported."""
    known = recorded_labs()
    ended = work.down([lab for lab in labs if lab not in known])
    if over := [lab for lab in labs if lab in known]:
        from labctl.api.over_hosts.down import down

        return down(over, ended)
    return ended
