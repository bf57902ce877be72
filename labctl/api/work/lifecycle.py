"""Work that makes, changes and ends a lab: up, restart, plan, down."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from labctl.api.caller import Caller
from labctl.process.child import Tell

if TYPE_CHECKING:
    from labctl.lab.down import DownReport
    from labctl.lab.engines.forkserver_client import Forkserver
    from labctl.lab.reconcile import Planned
    from labctl.lab.restart import Restarted
    from labctl.lab.up import UpReport
    from labctl.plan.desired import Desired
    from labctl.process.processes import Process
    from labctl.rootless.context import Context
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
        from labctl.hosts.record import refuse_recorded
        from labctl.plan.desired import Desired

        routed = routed_of(source, name, inventory)
        if routed.topology.hosts:
            from labctl.api.over_hosts.up import up as up_over_hosts

            return up_over_hosts(routed.topology, routed.file, fresh, caller)
        refuse_recorded(routed.topology.name)
        return make(Desired.of(routed), routed.file, fresh, owner, server, caller)[0]


def make(
    wanted: Desired, file: str, fresh: bool, owner: Process | None, server: Forkserver, caller: Caller
) -> tuple[UpReport, Context]:
    """Make a lab on this machine as `up` does. Return where it lives, too, which none finds before it is kept."""
    from labctl.lab import preflight
    from labctl.lab.down import end as end_lab
    from labctl.lab.own_labs import own_labs
    from labctl.lab.up import up as making
    from labctl.process.signals import TERMINATION, ignored
    from labctl.rootless.context import context_of_new

    lab = wanted.topology.name
    if fresh and (before := own_labs().get(lab)):
        preflight.check_rulesets(wanted.topology.namespaces, wanted.topology, file)
        end_lab(lab, before)
    context = context_of_new(lab)

    def work(tell: Tell) -> UpReport:
        return caller.until_the_end.enter_context(making(wanted, file, context.mode, server.at(context), tell))

    try:
        made = context.follow(work, caller.tell)
        caller.until_the_end.enter_context(ignored(*TERMINATION))  # the lab is made: what is left does not fail
    except BaseException:
        context.abandon()
        raise
    caller.if_received.append(lambda: context.keep(owner))  # until then a rootless environment ends with this process
    if made.fresh:
        caller.unless_received.append(lambda: end_lab(lab, context))
    return made, context


def restart(lab: str, named: Sequence[str], caller: Caller) -> Restarted:
    """End engines and programs of a lab, and start them again."""
    from labctl.lab.engines.forkserver_client import forkserver

    with forkserver() as server:
        from labctl.hosts.context import OverHosts
        from labctl.lab.own_labs import context_of
        from labctl.lab.restart import restart as again

        context = context_of(lab)
        if isinstance(context, OverHosts):
            from labctl.api.over_hosts.restart import restart as restart_there

            return restart_there(context, named)
        return context.call(lambda: again(lab, named, server.at(context)))


def plan(source: str | Topology, name: str | None, inventory: str | None, caller: Caller) -> Planned:
    """Look what `up` would do."""
    from labctl.api.sources import routed_of
    from labctl.hosts.record import refuse_recorded
    from labctl.lab.reconcile import planned
    from labctl.plan.desired import Desired
    from labctl.rootless.context import context_for

    routed = routed_of(source, name, inventory)
    if routed.topology.hosts:
        from labctl.api.over_hosts.plan import plan as plan_over_hosts

        return plan_over_hosts(routed.topology)
    refuse_recorded(routed.topology.name)
    wanted = Desired.of(routed)
    return planned(wanted, context_for(wanted.topology.name), routed.file)


def down(labs: Sequence[str], caller: Caller) -> DownReport:
    """End labs. One that does not run is left out, one that cannot be ended is reported."""
    from labctl.hosts.context import OverHosts
    from labctl.lab.down import down as end
    from labctl.lab.own_labs import own_labs

    running = own_labs()
    over_hosts = [lab for lab in labs if isinstance(running.get(lab), OverHosts)]
    if not over_hosts:
        return end(labs, running)
    from labctl.api.over_hosts.down import down as end_over_hosts

    return end_over_hosts(over_hosts, end([lab for lab in labs if lab not in over_hosts], running))


def end_with_program(lab: str) -> None:
    """End a lab whose program has ended: what fails can no longer be reported."""
    from labctl.errors import LabError

    with suppress(LabError):
        down([lab], Caller())
