"""What is in a namespace of a lab and its file does not ask for: it was made by hand, and it decides where packets go.

Firewalls, queues, IPsec, and neighbours that are not learned. The facts are without what the kernel makes by itself. An
entry that was learned stays, unless it is of the lab and leads to none of its interfaces.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from labctl.plan import steps
from labctl.plan.change import UNWANTED, Change
from labctl.plan.facts import Facts, Link, Namespace, Neighbour
from labctl.plan.steps import Step
from labctl.topology.interface_ref import InterfaceRef

_BY_HAND = ("permanent", "noarp", "proxy")


class Hosts(NamedTuple):
    """The addresses that the interfaces of a lab are to have, and the MAC addresses that they do have.

    `known` are the neighbours that the lab is to have, with the interface that each is behind; `with_firewall` are the
    namespaces that are to have a firewall.
    """

    addresses: frozenset[str]
    macs: frozenset[str]
    known: Mapping[InterfaceRef, Sequence[Neighbour]]
    with_firewall: frozenset[str]

    @classmethod
    def of(cls, wanted: Collection[Step], facts: Facts) -> Hosts:
        known: dict[InterfaceRef, list[Neighbour]] = {}
        for step in wanted:
            if isinstance(step, steps.AddNeighbour):
                known.setdefault(step.ref, []).append(step.neighbour)
        links = (link for space in facts.namespaces.values() for link in space.links.values())
        addresses = (step.address.partition("/")[0] for step in wanted if isinstance(step, steps.AddAddress))
        firewalls = frozenset(step.namespace for step in wanted if isinstance(step, steps.SetFirewall))
        return cls(frozenset(addresses), frozenset(link.mac for link in links), known, firewalls)


def foreign(name: str, space: Namespace, staying: Mapping[str, Link], hosts: Hosts) -> Iterator[Change]:
    """Yield its removal from one namespace, except what goes with an interface that does not stay."""
    own = space.firewall.tables if space.firewall and name in hosts.with_firewall else ()
    for table in space.tables:
        if (table.family, table.name) in own:
            continue  # it stays, or is replaced together with the others
        yield Change(steps.DeleteTable(name, table.family, table.name, table.chains, table.rules), UNWANTED)
    for what, number in space.xfrm.items():
        yield Change(steps.FlushXfrm(name, what, number), UNWANTED)
    for interface, link in staying.items():
        for qdisc in link.qdiscs:
            yield Change(steps.DeleteQdisc(name, interface, qdisc.kind, qdisc.place), UNWANTED)
        asked_for = hosts.known.get(InterfaceRef(name, interface), ())
        for neighbour in link.neighbours:
            if any(neighbour.is_in_place_of(each) for each in asked_for):
                continue  # it stays, or becomes another
            if why := _why_wrong(neighbour, link, hosts):
                yield Change(steps.DeleteNeighbour(name, interface, neighbour), why)
        for mac in link.forwarding:
            yield Change(steps.DeleteForwarding(name, interface, mac), UNWANTED)


def _why_wrong(neighbour: Neighbour, link: Link, hosts: Hosts) -> str:
    """Return why a neighbour is to be removed; empty where it may stay."""
    if neighbour.state in _BY_HAND:
        own = neighbour.lladdr == link.mac  # as the kernel has it for everything behind an interface without ARP
        return "" if neighbour.state == "noarp" and own else UNWANTED
    strange = neighbour.to in hosts.addresses and neighbour.lladdr not in hosts.macs
    return "no interface of the lab has that MAC" if strange else ""
