"""What is in a namespace of a lab and no file can ask for: it was made by hand, and it decides where packets go.

Firewalls, queues, IPsec, and neighbours that are not learned. What the kernel makes up by itself never gets here: the
facts are without it. An entry that was learned stays, unless it is of the lab and leads to none of its interfaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from labctl.plan.facts import Facts, Link, Namespace, Neighbour
from labctl.plan.steps import AddAddress, InterfaceStep, Removal, Step

_BY_HAND = ("permanent", "noarp", "proxy")


@dataclass(frozen=True)
class DeleteTable(Removal):
    """A table of nftables, with all that is in it."""

    family: str
    name: str
    chains: int
    rules: int

    @property
    def words(self) -> str:
        return f"nftables table {self.family} {self.name} ({_many(self.chains, 'chain')}, {_many(self.rules, 'rule')})"


@dataclass(frozen=True)
class FlushXfrm(Removal):
    """All IPsec policies, or all states."""

    what: str
    number: int

    @property
    def words(self) -> str:
        return f"xfrm {self.what} ({self.number} of them)"


@dataclass(frozen=True)
class DeleteQdisc(Removal, InterfaceStep):
    """A qdisc, with the filters and qdiscs below it."""

    kind: str
    place: str

    @property
    def words(self) -> str:
        return f"qdisc {self.kind}" + (f" at {self.place}" if self.place != self.kind else "")


@dataclass(frozen=True)
class DeleteNeighbour(Removal, InterfaceStep):
    neighbour: Neighbour

    @property
    def words(self) -> str:
        to, lladdr, state = self.neighbour.to, self.neighbour.lladdr, self.neighbour.state
        return f"proxy neighbour {to}" if state == "proxy" else f"neighbour {to} lladdr {lladdr} {state}"


@dataclass(frozen=True)
class DeleteForwarding(Removal, InterfaceStep):
    """A MAC address that a bridge was told to have behind a port."""

    mac: str

    @property
    def words(self) -> str:
        return f"fdb entry {self.mac}"


Foreign = DeleteTable | FlushXfrm | DeleteQdisc | DeleteNeighbour | DeleteForwarding
"""Every step that takes such a thing away."""


class Hosts(NamedTuple):
    """The addresses that the interfaces of a lab are to have, and the MAC addresses that they do have."""

    addresses: frozenset[str]
    macs: frozenset[str]

    @classmethod
    def of(cls, wanted: Iterable[Step], facts: Facts) -> Hosts:
        links = (link for space in facts.namespaces.values() for link in space.links.values())
        addresses = (step.address.partition("/")[0] for step in wanted if isinstance(step, AddAddress))
        return cls(frozenset(addresses), frozenset(link.mac for link in links))


def foreign(name: str, space: Namespace, staying: Mapping[str, Link], hosts: Hosts) -> Iterator[Removal]:
    """Yield the steps that take it away from one namespace, but what goes with an interface that does not stay."""
    for table in space.tables:
        yield DeleteTable(name, table.family, table.name, table.chains, table.rules)
    for what, number in space.xfrm.items():
        yield FlushXfrm(name, what, number)
    for interface, link in staying.items():
        for qdisc in link.qdiscs:
            yield DeleteQdisc(name, interface, qdisc.kind, qdisc.place)
        for neighbour in link.neighbours:
            if why := _why_wrong(neighbour, link, hosts):
                yield DeleteNeighbour(name, interface, neighbour, why=why)
        for mac in link.forwarding:
            yield DeleteForwarding(name, interface, mac)


def _why_wrong(neighbour: Neighbour, link: Link, hosts: Hosts) -> str:
    """Return why a neighbour is to go; nothing where it may stay."""
    if neighbour.state in _BY_HAND:
        own = neighbour.lladdr == link.mac  # as the kernel has it for everything behind an interface without ARP
        return "" if neighbour.state == "noarp" and own else "is not in the file"
    strange = neighbour.to in hosts.addresses and neighbour.lladdr not in hosts.macs
    return "no interface of the lab has that MAC" if strange else ""


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
