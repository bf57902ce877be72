"""The plan: what is there and should not be goes; then everything that the topology asks for and is not there comes;
last comes what running engines are to do differently.

`holds` asks whether the facts already show what a wanted step would do. A plan is the surplus, and then the wanted
steps that do not hold, so a first `up`, a second one, a change of the file and a repair are the same function.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from labctl.plan import facts as facts_of
from labctl.plan import settings
from labctl.plan.desired import desired
from labctl.plan.facts import Facts, Link
from labctl.plan.facts_after import without
from labctl.plan.holds import holds
from labctl.plan.impairing import changes_of_impairments
from labctl.plan.mtu import DEFAULT_MTU, mtu_of, tunnel_mtus
from labctl.plan.options import options
from labctl.plan.removals import removals
from labctl.plan.routes import DEFAULT_RULES
from labctl.plan.steps import (
    AddAddress,
    AddRule,
    AutomaticAddresses,
    SetMtu,
    Step,
)
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Topology

LOOPBACK_ADDRESS = "127.0.0.1/8"  # with which every namespace is born


def plan(topology: Topology, facts: Facts) -> list[Step]:
    """The steps from the facts to the topology, in the order in which the kernel accepts them."""
    steps = list(desired(topology))
    gone = list(removals(steps, facts))
    left = without(facts, gone)
    missing = [step for step in steps if not holds(step, left)]
    return [*gone, *_defaults(topology, left), *missing, *changes_of_impairments(steps, left)]


def _defaults(topology: Topology, facts: Facts) -> Iterator[Step]:
    """Back to what a namespace and an interface are by themselves, where nothing asks for anything else."""
    tunnels = tunnel_mtus(topology)
    # Whether another's program opens the device is its own affair.
    served = [device for end in topology.ttun if (device := str(end.device)) in facts.engines and not end.engine]
    for name, space in topology.namespaces.items():
        found = facts.namespaces.get(name, facts_of.Namespace())
        for version, rules in found.rules.items():  # first: without them no next hop is found
            yield from (AddRule(name, rule) for rule in DEFAULT_RULES[version] if rule not in rules)
        yield from settings.changed(name, space, found)
        yield from options(name, found, served)
        there = found.links
        for interface in ("lo", *space.interfaces):
            link, asked = there.get(interface), space.interfaces.get(interface)
            if link is None:
                continue
            ref = InterfaceRef(name, interface)
            mtu = mtu_of(topology, ref, tunnels)
            by_itself = ref not in tunnels and not (asked and asked.mtu)
            if by_itself and link.mtu != mtu and not _follows_its_ports(link, there.values()):
                yield SetMtu(name, interface, mtu)
            if link.addrgenmode == "none" and asked and any(address.version == 6 for address in asked.addresses):
                yield AutomaticAddresses(name, interface, "random" if link.kind == "tun" else "eui64")
        if "lo" in there and LOOPBACK_ADDRESS not in there["lo"].addresses:
            yield AddAddress(name, "lo", LOOPBACK_ADDRESS)


def _follows_its_ports(link: Link, links: Iterable[Link]) -> bool:
    """Whether the MTU of a bridge is what its ports make it; it will follow those that it gets, too."""
    ports = (port.mtu for port in links if port.master == link.name)
    return link.kind == "bridge" and link.mtu == min(ports, default=DEFAULT_MTU["bridge"])
