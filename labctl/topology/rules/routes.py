"""Routes and rules that the kernel would take."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from labctl.frozen import frozen
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.iproute import CONNECTED_METRIC, DEFAULT_RULES
from labctl.topology.model import METRICS, Namespace, NextHop, Route, Rule, Topology
from labctl.topology.paths import Path
from labctl.topology.routing import LOOPBACK, Fib, brings_network, broadcast_of, connected, metric_of, on_link
from labctl.topology.rules.finding import Finding, unknown_interface
from labctl.topology.unknown_names import listed
from labctl.topology.values import Host, Network

_OF_A_WAY = ("via", "dev", "nexthops", "onlink", "src", *METRICS)
"""What a route says of the packets that it lets through."""

_OF_NO_HOST = (ipaddress.ip_network("0.0.0.0/8"), ipaddress.ip_network("255.255.255.255/32"))
"""Addresses that no host can have (RFC 1122, 3.2.1.3), and that the kernel refuses as a next hop (inet_addr_type())."""

_OF_A_LOOKUP = ("table", "suppress_prefixlength")


@frozen
class _Place:
    """A route of a namespace, what was there before it (addresses, the routes above it), and all that there is."""

    topology: Topology
    where: str
    index: int
    fib: Fib
    whole: Fib

    @property
    def namespace(self) -> Namespace:
        return self.topology.namespaces[self.where]

    @property
    def route(self) -> Route:
        return self.namespace.routes[self.index]

    def is_diverted(self, hop: Route | NextHop, via: Host) -> bool:
        """Return whether another route refuses what is sent to an IPv6 next hop, or has a next hop for it.

        The kernel takes no such route as long as the other one is there, so it could not be repaired.
        """
        if via.version == 4 or self.whole.interface_of(via, hop.dev, self.route.table) is not None:
            return False
        others = Fib(self.namespace.interfaces)
        for index, route in enumerate(self.namespace.routes):
            if index != self.index:
                others.add(route)
        return others.interface_of(via, hop.dev, self.route.table) is None

    def links(self) -> Iterator[tuple[Network, str]]:
        """Yield the networks in which its next hop can be, with their interfaces."""
        above = self.namespace.routes[: self.index]
        reaching = (route for route in above if route.table in (self.route.table, "main"))
        return on_link(self.namespace.interfaces, reaching)


def of_routes(topology: Topology, where: str, namespace: Namespace) -> Iterator[Finding]:
    """Yield what is wrong with the routes of a namespace."""
    made_by_kernel: dict[tuple[Network, int], str] = {
        (own.network, CONNECTED_METRIC[own.version]): name
        for own, name in connected(namespace.interfaces)
        if brings_network(own) and (own.version == 6 or name != LOOPBACK)
    }
    fib, whole = Fib(namespace.interfaces), Fib.of(namespace)
    seen: set[tuple[str, Network, int]] = set()
    for index, route in enumerate(namespace.routes):
        here: Path = ("namespaces", where, "routes", index)
        metric = metric_of(route)
        if (route.table, route.to, metric) in seen:
            table = "" if route.table == "main" else f" in table {route.table}"
            what = f"there is a route to {route.to}{table} already"
            yield Finding((*here, "to"), what, "give one of them another 'metric'", (here[:-1],))
        elif route.table == "main" and (owner := made_by_kernel.get((route.to, metric))):
            what = f"{route.to} is the network of {owner}: the kernel makes this route by itself"
            yield Finding((*here, "to"), what, "leave it out, or give it another 'metric'", (here,))
        seen.add((route.table, route.to, metric))
        yield from _ways(route, here)
        for hop, path in _hops(route, here):
            yield from _hop(_Place(topology, where, index, fib, whole), hop, path)
        if route.src is not None:
            yield from _source(where, fib, route, route.src, (*here, "src"))
        # A next hop can be behind a route, but only behind one that the kernel has already: in the order of the file.
        fib.add(route)


def _ways(route: Route, here: Path) -> Iterator[Finding]:
    """Yield what is wrong with the keys of a route together."""
    written = [key for key in _OF_A_WAY if key in route.written()]
    if route.type != "unicast":
        for key in written:
            yield Finding(
                (*here, key), f"a route of type {route.type} leads nowhere: it has no {key!r}", "leave it out"
            )
    elif route.nexthops:
        for key in ("via", "dev", "onlink"):
            if key in written:
                yield Finding((*here, key), f"{key!r} is of one next hop, and 'nexthops' has several", "say it in each")
        if len(route.nexthops) == 1:
            hint = "write its 'via' and 'dev' as keys of the route"
            yield Finding((*here, "nexthops"), "one next hop is no choice", hint)
    elif route.via is None and route.dev is None:
        example = f"for example {{to: {route.to}, via: ADDRESS}} or {{to: {route.to}, dev: INTERFACE}}"
        yield Finding(here, "a route needs 'via', 'dev' or both", example, (here,))


def _hops(route: Route, here: Path) -> Iterator[tuple[Route | NextHop, Path]]:
    if route.type == "unicast" and not route.nexthops:
        yield route, here
    for index, hop in enumerate(route.nexthops):
        yield hop, (*here, "nexthops", index)


def _hop(place: _Place, hop: Route | NextHop, here: Path) -> Iterator[Finding]:
    route = place.route
    unknown = hop.dev and unknown_interface(place.topology, InterfaceRef(place.where, hop.dev), (*here, "dev"))
    if isinstance(hop, NextHop):
        same = [one for one in route.nexthops if (one.via, one.dev) == (hop.via, hop.dev)]
        if len(same) > 1 and same[0] is not hop:
            yield Finding(here, "this next hop is there already", "give the other one a larger 'weight'")
            return
        if hop.via is None and (hop.dev is None or route.to.version == 6):
            what = "a next hop needs 'via'" if route.to.version == 6 else "a next hop needs 'via', 'dev' or both"
            hint = "of several next hops, IPv6 knows only such that have an address" if hop.dev else ""
            yield Finding(here, what, hint, (here,))
    if hop.onlink and (hop.via is None or hop.dev is None):
        what = f"'onlink' says that 'via' is behind 'dev': {'via' if hop.via is None else 'dev'!r} is missing"
        hint = "without 'via', all of the destination is behind 'dev' already" if hop.via is None else "say which one"
        yield Finding((*here, "onlink"), what, hint, (here,))
    elif unknown:
        yield unknown
    elif hop.via is not None:
        yield from _next_hop(place, hop, hop.via, (*here, "via"))


def _next_hop(place: _Place, hop: Route | NextHop, via: Host, path: Path) -> Iterator[Finding]:
    route, where, fib = place.route, place.where, place.fib
    if via.version == 4 and route.to.version == 6:
        what = f"the next hop {via} is IPv4, the destination {route.to} is IPv6"
        yield Finding(path, what, "an IPv6 route needs an IPv6 next hop; the other way round it works")
    elif via.is_unspecified or via.is_multicast or any(via in network for network in _OF_NO_HOST):
        yield Finding(path, f"{via} cannot be a next hop", "name the address of the neighbour that forwards")
    elif (all_of := broadcast_of(place.namespace.interfaces, via)) is not None:
        what = f"the next hop {via} is the broadcast address of {all_of.network}"
        yield Finding(path, what, "name the address of the neighbour that forwards")
    elif fib.owner_of(via) is not None:
        what = f"the next hop {via} is an address of {where!r} itself"
        yield Finding(path, what, "name the address of the neighbour that forwards")
    elif via.version == 6 and via.is_link_local and hop.dev is None:
        yield Finding(path, f"the link-local next hop {via} could be behind any interface", "say which one with 'dev'")
    elif not hop.onlink and (fib.interface_of(via, hop.dev, route.table) is None or place.is_diverted(hop, via)):
        links = place.links()
        near = [network for network, name in links if network.version == via.version and hop.dev in (None, name)]
        what = f"the next hop {via} is in no network of {hop.dev or repr(where)}"
        hint = f"its networks: {listed([*dict.fromkeys(map(str, near))])}" if near else ""
        if any(via in network for network in near):
            what = f"another route has a next hop for {via}, or refuses what is sent there: it cannot be a next hop"
            hint = "name a neighbour that is reached directly, or leave the other route out"
        absent = (("namespaces", where, "interfaces"), ("namespaces", where, "routes"))
        yield Finding(path, what, hint or "give an interface an address in its network", absent)


def _source(where: str, fib: Fib, route: Route, src: Host, path: Path) -> Iterator[Finding]:
    if src.version != route.to.version:
        what = f"the source {src} is IPv{src.version}, the destination {route.to} is IPv{route.to.version}"
        yield Finding(path, what, "both must be of one IP version")
    elif fib.owner_of(src) is None:
        what = f"the source {src} is no address of {where!r}"
        yield Finding(path, what, "give an interface this address", (("namespaces", where, "interfaces"),))


def of_rules(topology: Topology, where: str, namespace: Namespace) -> Iterator[Finding]:
    """Yield what is wrong with the rules of a namespace."""
    seen: set[tuple[int, int]] = set()
    for index, rule in enumerate(namespace.rules):
        here: Path = ("namespaces", where, "rules", index)
        born_with = dict(DEFAULT_RULES[rule.version])
        if rule.priority in born_with:
            table = born_with[rule.priority]
            what = f"{rule.priority} is the priority of the rule that every namespace has, to look in table {table}"
            yield Finding((*here, "priority"), what, "choose another priority", (here,))
        elif (rule.version, rule.priority) in seen:
            what = f"there is an IPv{rule.version} rule of priority {rule.priority} already"
            yield Finding((*here, "priority"), what, "give each rule a priority of its own", (here[:-1],))
        seen.add((rule.version, rule.priority))
        yield from _version(rule, here)
        if rule.type != "unicast":
            for key in _OF_A_LOOKUP:
                if key in rule.written():
                    what = f"a rule of type {rule.type} looks in no table: it has no {key!r}"
                    yield Finding((*here, key), what, "leave it out")
        for key in ("iif", "oif"):
            name = getattr(rule, key)
            unknown = name and unknown_interface(topology, InterfaceRef(where, name), (*here, key))
            if unknown:
                yield unknown


def _version(rule: Rule, here: Path) -> Iterator[Finding]:
    for key, network in (("from", rule.from_), ("to", rule.to)):
        if network is not None and network.version != rule.version:
            what = f"{network} is IPv{network.version}, the rule is for IPv{rule.version}"
            yield Finding((*here, key), what, "a rule is for one IP version; write two", (here,))
