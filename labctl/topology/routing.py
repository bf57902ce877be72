"""Which way a packet leaves a namespace: the kernel's lookup, over what is written in the file.

A namespace has first its local table (its own addresses), then one main table: a connected prefix for every address,
and the static routes. The longest prefix that has the destination in it wins; of two equal ones the lower metric
(ip-route(8): 0 for IPv4; for IPv6 256 for a connected prefix, 1024 for a static route), then the one written first.
A next hop is looked up once, when its route is added, among the networks on the links and the routes before it.

The model is of routes that the kernel would accept; `rules` says which it would not.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from labctl.topology.model import Interface, Namespace, Route, Topology
from labctl.topology.prefixes import Prefixes
from labctl.topology.values import Host, Network, Prefix

LOOPBACK = "lo"


@dataclass(frozen=True)
class Decision:
    """Where a packet goes: through an interface, to a next hop where there is one, or nowhere as it has arrived."""

    interface: str
    via: Host | None = None
    local: bool = False


class Fib:
    """The forwarding information base of one namespace; it begins with what the addresses alone bring."""

    def __init__(self, interfaces: dict[str, Interface]) -> None:
        self._local: Prefixes[str] = Prefixes()
        self._main: Prefixes[tuple[int, Decision]] = Prefixes()  # the metric, and what follows
        self._links: Prefixes[str] = Prefixes()
        for own, name in connected(interfaces):
            # An IPv4 prefix on the loopback interface is local as a whole (fib_add_ifaddr() in the kernel).
            whole = name == LOOPBACK and own.version == 4
            self._local.add(own.network if whole else ipaddress.ip_network(own.ip), name)
            self._main.add(own.network, (0 if own.version == 4 else 256, Decision(name)))
        for network, name in on_link(interfaces, ()):
            self._links.add(network, name)

    @classmethod
    def of(cls, namespace: Namespace) -> Fib:
        """All that a namespace has: its addresses, and its routes in the order of the file."""
        fib = cls(namespace.interfaces)
        for route in namespace.routes:
            fib.add(route)
        return fib

    def add(self, route: Route) -> None:
        """Add a route; one whose next hop is behind no interface is left out, as the kernel refuses it."""
        name = route.dev if route.via is None else self.interface_of(route.via, route.dev)
        if name is not None:
            self._main.add(route.to, (metric_of(route), Decision(name, route.via)))
        for network, link in on_link({}, (route,)):
            self._links.add(network, link)

    def lookup(self, address: Host) -> Decision | None:
        """The way to an address, None where there is none."""
        owner = self.owner_of(address)
        if owner is not None:
            return Decision(owner, local=True)
        return next(self.candidates(address), None)

    def candidates(self, address: Host) -> Iterator[Decision]:
        """The way of every route that matches an address which is not the namespace's own, the best first."""
        for ways in self._main.matching(address):
            yield from (decision for _, decision in sorted(ways, key=lambda way: way[0]))

    def owner_of(self, address: Host) -> str | None:
        """The interface that has the address, None where it is not one of the namespace's own."""
        if address.is_loopback:
            return LOOPBACK
        return next((names[0] for names in self._local.matching(address)), None)

    def interface_of(self, via: Host, dev: str | None) -> str | None:
        """The interface behind which a next hop is, None where it is behind none; `dev` is the one that it must be."""
        if dev is not None and via.is_link_local and via.version == 6:
            return dev
        behind = (name for names in self._links.matching(via) for name in names)
        return next((name for name in behind if dev in (None, name)), None)


def fibs_of(topology: Topology) -> dict[str, Fib]:
    """What each namespace knows of the ways out of it."""
    return {name: Fib.of(namespace) for name, namespace in topology.namespaces.items()}


def connected(interfaces: dict[str, Interface]) -> Iterator[tuple[Prefix, str]]:
    """Every address with the interface that has it; its network is reached without a next hop."""
    for name, interface in interfaces.items():
        for own in interface.addresses:
            yield own, name


def broadcast_of(interfaces: dict[str, Interface], address: Host) -> Prefix | None:
    """The IPv4 address of an interface in whose network an address is the one for all (RFC 919), None where in none."""
    return next(
        (
            own
            for own, name in connected(interfaces)
            if own.version == 4
            and own.network.prefixlen < 31
            and name != LOOPBACK
            and own.network.broadcast_address == address
        ),
        None,
    )


def on_link(interfaces: dict[str, Interface], routes: Iterable[Route]) -> Iterator[tuple[Network, str]]:
    """The networks whose hosts are reached directly: where a next hop can be."""
    for own, name in connected(interfaces):
        if name != LOOPBACK:
            yield own.network, name
    for route in routes:
        if route.dev is not None and route.via is None:
            yield route.to, route.dev


def metric_of(route: Route) -> int:
    """The metric that the kernel gives a route where the file gives none; for IPv6, 0 means the same."""
    return (route.metric or 0) if route.to.version == 4 else (route.metric or 1024)
