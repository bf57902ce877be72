"""Which way a packet leaves a namespace: the kernel's lookup, over what is written in the file.

A namespace has first its local table (its own addresses), then one main table: a connected prefix for every address,
and the static routes. The longest prefix that has the destination in it wins; of two equal ones the lower metric
(ip-route(8): 0 for IPv4; for IPv6 256 for a connected prefix, 1024 for a static route), then the one written first.

The model is of routes that the kernel would accept; `rules` says which it would not.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from labctl.topology.model import Interface, Namespace, Route
from labctl.topology.values import Host, Network, Prefix

LOOPBACK = "lo"


@dataclass(frozen=True)
class Decision:
    """Where a packet goes: through an interface, to a next hop where there is one, or nowhere as it has arrived."""

    interface: str
    via: Host | None = None
    local: bool = False


def lookup(namespace: Namespace, address: Host) -> Decision | None:
    """The way to an address, None where there is none."""
    owner = owner_of(namespace, address)
    if owner is not None:
        return Decision(owner, local=True)
    matching = [way for way in _ways(namespace) if contains(way.to, address)]
    if not matching:
        return None
    best = min(matching, key=lambda way: (-way.to.prefixlen, way.metric))
    return Decision(best.interface, best.via)


def owner_of(namespace: Namespace, address: Host) -> str | None:
    """The interface that has the address, None where it is not one of the namespace's own."""
    if address.is_loopback:
        return LOOPBACK
    for name, interface in namespace.interfaces.items():
        for own in interface.addresses:
            # An IPv4 prefix on the loopback interface is local as a whole (fib_add_ifaddr() in the kernel).
            whole = name == LOOPBACK and own.version == 4
            if own.ip == address or (whole and contains(own.network, address)):
                return name
    return None


def connected(interfaces: dict[str, Interface]) -> Iterator[tuple[Prefix, str]]:
    """Every address with the interface that has it; its network is reached without a next hop."""
    for name, interface in interfaces.items():
        for own in interface.addresses:
            yield own, name


def on_link(interfaces: dict[str, Interface], routes: Iterable[Route]) -> Iterator[tuple[Network, str]]:
    """The networks whose hosts are reached directly: where a next hop can be."""
    for own, name in connected(interfaces):
        if name != LOOPBACK:
            yield own.network, name
    for route in routes:
        if route.dev is not None and route.via is None:
            yield route.to, route.dev


def interface_of(via: Host, dev: str | None, links: Iterable[tuple[Network, str]]) -> str | None:
    """The interface behind which a next hop is, None where it is behind none."""
    if dev is not None and via.is_link_local and via.version == 6:
        return dev
    behind = [(network, name) for network, name in links if contains(network, via) and dev in (None, name)]
    return max(behind, key=lambda link: link[0].prefixlen)[1] if behind else None


def metric_of(route: Route) -> int:
    """The metric that the kernel gives a route where the file gives none; for IPv6, 0 means the same."""
    return (route.metric or 0) if route.to.version == 4 else (route.metric or 1024)


def contains(network: Network, address: Host) -> bool:
    """Whether an address lies in a network of the same IP version."""
    if isinstance(network, ipaddress.IPv4Network):
        return isinstance(address, ipaddress.IPv4Address) and address in network
    return isinstance(address, ipaddress.IPv6Address) and address in network


@dataclass(frozen=True)
class _Way:
    to: Network
    metric: int
    interface: str
    via: Host | None


def _ways(namespace: Namespace) -> Iterator[_Way]:
    for own, name in connected(namespace.interfaces):
        yield _Way(own.network, 0 if own.version == 4 else 256, name, None)
    links: list[tuple[Network, str]] = []
    for route in namespace.routes:
        if route.via is not None and not links:
            links = list(on_link(namespace.interfaces, namespace.routes))
        name_or_none = route.dev if route.via is None else interface_of(route.via, route.dev, links)
        if name_or_none is not None:
            yield _Way(route.to, metric_of(route), name_or_none, route.via)
