"""Why a step is to be done: what the kernel shows in the place where the file wants something else.

Never the same as what the step makes: where that is there already, a step before takes it along.
"""

from __future__ import annotations

from typing import NamedTuple

from labctl.plan.commands import command
from labctl.plan.facts import STOPPED, Facts, Link, Namespace
from labctl.plan.holds import holds
from labctl.plan.impairing import NONE
from labctl.plan.options import SetOption
from labctl.plan.steps import (
    AddLink,
    AddVeth,
    AutomaticAddresses,
    ImpairEngine,
    InterfaceStep,
    NoAutomaticAddresses,
    Removal,
    SetMac,
    SetMaster,
    SetMtu,
    SetNetem,
    SetSysctl,
    SetUp,
    StartEngine,
    Step,
)


class Change(NamedTuple):
    """A step of a plan, and why it is in there."""

    step: Step
    reason: str

    @property
    def command(self) -> str:
        """What a person types for the same."""
        return command(self.step)


def change(step: Step, facts: Facts) -> Change:
    return Change(step, _reason(step, facts))


def _reason(step: Step, facts: Facts) -> str:
    if isinstance(step, Removal):
        return step.why
    there = facts.namespaces.get(step.namespace)
    if there is None:
        return "is not there"
    if step.subject in facts.outdated and isinstance(step, StartEngine):
        return facts.outdated[step.subject]
    if not isinstance(step, AutomaticAddresses | SetOption | ImpairEngine) and holds(step, facts):
        return "goes with a change above"
    if isinstance(step, SetSysctl):
        return f"is {there.sysctls.get(step.path, 'not known')}"
    if isinstance(step, StartEngine):
        running = facts.engines.get(step.subject, "")
        stopped = running == step.command + STOPPED
        return "is stopped" if stopped else f"runs as {running}" if running else "is not running"
    if isinstance(step, ImpairEngine):
        return f"is {step.before}" if step.before != NONE else "is not impaired"
    link = _link(step, there)
    return "is not there" if link is None else _found(step, link)


def _link(step: Step, there: Namespace) -> Link | None:
    return there.links.get(step.interface) if isinstance(step, InterfaceStep) else None


def _found(step: Step, link: Link) -> str:
    match step:
        case AddLink() if link.kind != step.kind:
            return f"is a {link.kind}"
        case AddLink():
            return f"its owner is {link.owner or 'not set'}"
        case AddVeth():
            return f"leads to {link.peer or 'nothing of the lab'}" if link.kind == "veth" else f"is a {link.kind}"
        case SetMac():
            return f"is {link.mac}"
        case SetMtu():
            return f"is {link.mtu}"
        case SetMaster():
            return f"is a port of {link.master}" if link.master else "is no port"
        case SetNetem():
            return f"is {link.netem}" if link.netem else "is not impaired"
        case SetUp():
            return "is down"
        case SetOption(option=option):
            return f"is {link.options.get(option, 'not known')}"
        case NoAutomaticAddresses() | AutomaticAddresses():
            return f"is {link.addrgenmode}" if link.addrgenmode else "has no IPv6"
        case _:
            return "is not there"
