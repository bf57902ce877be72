"""Work that makes, changes and ends a lab: make, restart, plan, down."""

from __future__ import annotations

from collections.abc import Sequence
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


def make(
    wanted: Desired, file: str, fresh: bool, owner: Process | None, server: Forkserver, caller: Caller
) -> tuple[UpReport, Context]:
    """Make a lab what is wanted, and tell the steps; end one of that name first if it is to be `fresh`.

    A new one ends with its owner, where it has one. Return where it lives, too, which none finds before it is kept.
    """
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
        from labctl.lab.own_labs import context_of
        from labctl.lab.restart import restart as again

        context = context_of(lab)
        return context.call(lambda: again(lab, named, server.at(context)))


def plan(wanted: Desired, file: str) -> Planned:
    """Look what `make` would do."""
    from labctl.lab.reconcile import planned
    from labctl.rootless.context import context_for

    return planned(wanted, context_for(wanted.topology.name), file)


def down(labs: Sequence[str]) -> DownReport:
    """End labs. One that does not run is left out, one that cannot be ended is reported."""
    from labctl.lab.down import down as end
    from labctl.lab.own_labs import own_labs

    return end(labs, own_labs())
