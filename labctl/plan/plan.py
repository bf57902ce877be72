"""The plan: what is there and should not be goes; then everything that the topology asks for and is not there comes;
last comes what running engines are to do differently.

A plan is the removals, and then the desired steps that differ from what the removals leave. So a first `up`, a second
one, a change of the file and a repair are the same function.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from labctl.frozen import frozen
from labctl.plan import facts as facts_of
from labctl.plan import left_alone, settings, steps
from labctl.plan.change import Change
from labctl.plan.coverage import Coverage, coverage
from labctl.plan.desired import Desired
from labctl.plan.facts import Facts, Link
from labctl.plan.facts_after import without
from labctl.plan.mtu import DEFAULT_MTU
from labctl.plan.options import options
from labctl.plan.removals import removals
from labctl.plan.routes import DEFAULT_RULES
from labctl.plan.steps import Step
from labctl.topology.interface_ref import InterfaceRef

LOOPBACK_ADDRESS = "127.0.0.1/8"  # which every namespace has by itself


@frozen
class Pending:
    """What `up` would do, and what was looked at to know that."""

    changes: tuple[Change, ...]
    coverage: Coverage

    def __str__(self) -> str:
        return "\n".join(map(str, self.changes)) or "nothing to do"


def between(desired: Desired, facts: Facts) -> Pending:
    """Return the plan with the reason of each step: what is observed in place of what it makes."""
    compared = left_alone.without(facts, desired.steps)
    return Pending(tuple(_changes(desired, compared)), coverage(compared))


def _changes(desired: Desired, facts: Facts) -> Iterator[Change]:
    """Yield the changes from the facts to what is desired, in the order in which the kernel accepts them."""
    gone = list(removals(desired.steps, facts))
    yield from gone
    left = without(facts, (step for step, _ in gone))
    missing = [step for step in desired.steps if step.difference(left) is not None]
    for step in (*_defaults(desired, left), *missing, *_impairments(desired, left)):
        yield Change.of(step, facts)


def _defaults(desired: Desired, facts: Facts) -> Iterator[Step]:
    """Yield the steps that restore the defaults of namespaces and interfaces, where the file does not name them."""
    topology = desired.topology
    # Whether a program of the user's opens the device is not known.
    served = [end.device for end in topology.ttun if end.device in facts.engines and not end.engine]
    for name, space in topology.namespaces.items():
        found = facts.namespaces.get(name, facts_of.Namespace())
        for version, rules in found.rules.items():  # first: without them no next hop is found
            yield from (steps.AddRule(name, rule) for rule in DEFAULT_RULES[version] if rule not in rules)
        yield from settings.changed(name, space, found)
        yield from options(name, found, served)
        there = found.links
        for interface in ("lo", *space.interfaces):
            link, asked = there.get(interface), space.interfaces.get(interface)
            if link is None:
                continue
            ref = InterfaceRef(name, interface)
            mtu = desired.mtus.of(ref)
            by_itself = ref not in desired.mtus.derived and not (asked and asked.mtu)
            if by_itself and link.mtu != mtu and not _follows_its_ports(link, there.values()):
                yield steps.SetMtu(name, interface, mtu)
            if link.addrgenmode == "none" and asked and any(address.version == 6 for address in asked.addresses):
                yield steps.AutomaticAddresses(name, interface, "random" if link.kind == "tun" else "eui64")
        if "lo" in there and LOOPBACK_ADDRESS not in there["lo"].addresses:
            yield steps.AddAddress(name, "lo", LOOPBACK_ADDRESS)


def _follows_its_ports(link: Link, links: Iterable[Link]) -> bool:
    """Return whether the MTU of a bridge is what its ports make it; it will follow those that it gets, too."""
    ports = (port.mtu for port in links if port.master == link.name)
    return link.kind == "bridge" and link.mtu == min(ports, default=DEFAULT_MTU["bridge"])


def _impairments(desired: Desired, facts: Facts) -> Iterator[steps.ImpairEngine]:
    """Yield the steps that make running engines impair as they are desired to."""
    for step in desired.steps:
        running = facts.engines.get(step.ref) if isinstance(step, steps.StartEngine) else None
        if running is None or not isinstance(step, steps.StartEngine) or step.spec.program:
            continue
        for direction, impairment in step.spec.impairments.items():
            before = running.impairments[direction]
            if impairment != before:
                yield steps.ImpairEngine(*step.ref, direction, impairment, before)
