"""Which way a packet leaves a namespace: the kernel's lookup, over what is written in the file.

The rules of the namespace say, in the order of their priority, in which table a packet is looked up: first in local
(its own addresses), last in main (a connected prefix for every address, and the static routes) and default. In a table
the longest prefix that has the destination in it wins; of two equal ones the lower metric (ip-route(8): 0 for IPv4; for
IPv6 256 for a connected prefix, 1024 for a static route), then the one written first. Where a table has nothing, or
throws the packet back, the next rule follows. A next hop is looked up once, when its route is added, among the networks
on the links and the routes before it.

The model is of routes that the kernel would accept; `rules` says which it would not.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from labctl.frozen import frozen
from labctl.topology.iproute import CONNECTED_METRIC, DEFAULT_METRIC, DEFAULT_RULES
from labctl.topology.model import Interface, Namespace, Route, Rule, Topology
from labctl.topology.prefixes import Prefixes
from labctl.topology.values import Host, Network, Prefix

LOOPBACK = "lo"
_ZERO = ipaddress.ip_network("0.0.0.0/8")
_LOOPBACK_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


@frozen
class Decision:
    """Where a packet goes: through an interface, to a next hop where there is one, or nowhere as it has arrived."""

    interface: str
    via: Host | None = None
    local: bool = False
    mtu: int | None = None  # that of the route, where it has one
    source: Host | None = None  # the address that the route sends from, where it names one


class _Entry(NamedTuple):
    """What a table has for a network: the ways there are, none where packets are refused or thrown back."""

    metric: int
    length: int
    ways: tuple[Decision, ...]
    type: str = "unicast"


_NOWHERE = _Entry(0, 0, ())
_BORN_WITH = {
    version: tuple(Rule(priority=priority, table=table) for priority, table in rules)
    for version, rules in DEFAULT_RULES.items()
}


class Fib:
    """The forwarding information base of one namespace; it begins with what the addresses alone bring."""

    def __init__(self, interfaces: dict[str, Interface], rules: Iterable[Rule] = ()) -> None:
        self._tables: dict[str, Prefixes[_Entry]] = defaultdict(Prefixes)
        self._links: dict[str, Prefixes[str]] = defaultdict(Prefixes)  # by table, too
        self._rules = _in_order(rules)
        for network in _LOOPBACK_NETWORKS:
            self._own(network, LOOPBACK)
        for own, name in connected(interfaces):
            # An IPv4 prefix on the loopback interface is local as a whole (fib_add_ifaddr() in the kernel).
            whole = name == LOOPBACK and own.version == 4 and brings_network(own)
            self._own(own.network if whole else ipaddress.ip_network(own.ip), name)
            if brings_network(own):
                connected_by = _Entry(CONNECTED_METRIC[own.version], own.network.prefixlen, (Decision(name),))
                self._tables["main"].add(own.network, connected_by)
        for network, name in on_link(interfaces, ()):
            self._links["main"].add(network, name)

    @classmethod
    def of(cls, namespace: Namespace) -> Fib:
        """Return that of a namespace: its addresses, its routes in the order of the file, its rules."""
        fib = cls(namespace.interfaces, namespace.rules)
        for route in namespace.routes:
            fib.add(route)
        return fib

    def _own(self, network: Network, name: str) -> None:
        self._tables["local"].add(network, _Entry(0, network.prefixlen, (Decision(name, local=True),)))

    def add(self, route: Route) -> None:
        """Add a route; one with a next hop that is behind no interface is left out, as the kernel refuses it."""
        ways = []
        for hop in route.nexthops or ((route,) if route.type == "unicast" else ()):
            known = hop.via is None or hop.onlink
            name = hop.dev if known or hop.via is None else self.interface_of(hop.via, hop.dev, route.table)
            if name is None:
                return
            ways.append(Decision(name, hop.via, mtu=route.mtu, source=route.src))
        entry = _Entry(metric_of(route), route.to.prefixlen, tuple(ways), route.type)
        self._tables[route.table].add(route.to, entry)
        for network, link in on_link({}, (route,)):
            self._links[route.table].add(network, link)

    def lookup(self, address: Host, source: Host | None = None, arrived: str = LOOPBACK) -> Decision | None:
        """Return the way to an address, by the first of several next hops; None where `ways` has none."""
        return next(iter(self.ways(address, source, arrived)), None)

    def ways(self, address: Host, source: Host | None = None, arrived: str = LOOPBACK) -> tuple[Decision, ...]:
        """Return the ways to an address: one, or one by each next hop, for which of them a packet takes is open.

        Empty where there is no route, where the packet is refused, and where a rule asks for what no file says: a mark,
        a protocol, a port. `source` is None for a packet whose sender has not chosen one yet; `arrived` is the
        interface that it came in by, lo where it is sent from here.
        """
        for rule in self._rules[address.version]:
            takes = _takes(rule, address, source, arrived)
            found = None if takes is False else self._found(rule, address)
            if found is not None:
                return found.ways if takes else ()
        return ()

    def _found(self, rule: Rule, address: Host) -> _Entry | None:
        """Return what a rule has for an address; None where it leaves that to the next one."""
        if rule.type != "unicast":
            return _NOWHERE
        for entries in self._tables[rule.table or "main"].matching(address):
            best = min(entries, key=lambda entry: entry.metric)
            shorter = rule.suppress_prefixlength is not None and best.length <= rule.suppress_prefixlength
            return None if best.type == "throw" or shorter else best
        return None

    def candidates(self, address: Host) -> Iterator[Decision]:
        """Yield every way to an address that is not the namespace's own, of every table and whatever the rules say."""
        for table in self._tables.values():
            for entries in table.matching(address):
                for entry in sorted(entries, key=lambda entry: entry.metric):
                    yield from (way for way in entry.ways if not way.local)

    def owner_of(self, address: Host) -> str | None:
        """Return the interface that has the address, None where it is not one of the namespace's own."""
        for entries in self._tables["local"].matching(address):
            for entry in entries:
                if entry.ways and entry.ways[0].local:
                    return entry.ways[0].interface
        return None

    def interface_of(self, via: Host, dev: str | None, table: str = "main") -> str | None:
        """Return the interface behind which a next hop is, None where it is behind none; `dev` is the one it must be.

        It is looked for in the table of its route, then in main.
        """
        if dev is not None and via.is_link_local and via.version == 6:
            return dev
        look = self._neighbour_link if via.version == 4 else self._neighbour_route
        found = (look(via, dev, name) for name in dict.fromkeys((table, "main")))
        return next((name for name in found if name is not None), None)

    def _neighbour_link(self, via: Host, dev: str | None, table: str) -> str | None:
        """Return that of an IPv4 next hop, which must be in a network on a link (fib_check_nh_v4_gw())."""
        behind = (name for names in self._links[table].matching(via) for name in names)
        return next((name for name in behind if dev in (None, name)), None)

    def _neighbour_route(self, via: Host, dev: str | None, table: str) -> str | None:
        """Return that of an IPv6 next hop, whose best route must have no next hop itself (ip6_route_check_nh())."""
        for entries in self._tables[table].matching(via):
            through = [entry for entry in entries if dev is None or any(way.interface == dev for way in entry.ways)]
            if through:
                best = min(through, key=lambda entry: entry.metric)
                near = (way.interface for way in best.ways if way.via is None and way.interface != LOOPBACK)
                return next((name for name in near if dev in (None, name)), None)
        return None


def _in_order(rules: Iterable[Rule]) -> dict[int, list[Rule]]:
    """Return the rules by IP version, with those that every namespace has."""
    written = tuple(rules)
    return {
        version: sorted(
            (*born_with, *(rule for rule in written if rule.version == version)), key=lambda rule: rule.priority
        )
        for version, born_with in _BORN_WITH.items()
    }


def _takes(rule: Rule, address: Host, source: Host | None, arrived: str) -> bool | None:
    """Return whether a rule matches a packet; None where that depends on what no file says.

    A source that is not chosen yet is in no network but that of all (fib4_rule_match(), fib6_rule_match()), and a
    socket that is bound to no interface matches no `oif`.
    """
    matches: bool | None = (
        (rule.from_ is None or rule.from_.prefixlen == 0 or (source is not None and source in rule.from_))
        and (rule.to is None or address in rule.to)
        and rule.iif in (None, arrived)
        and rule.oif is None
    )
    if matches and (rule.fwmark or rule.ipproto or rule.sport or rule.dport):
        return None
    return matches != rule.not_


def fibs_of(topology: Topology) -> dict[str, Fib]:
    """Return the FIB of each namespace."""
    return {name: Fib.of(namespace) for name, namespace in topology.namespaces.items()}


def connected(interfaces: dict[str, Interface]) -> Iterator[tuple[Prefix, str]]:
    """Yield every address with the interface that has it; its network is reached without a next hop."""
    for name, interface in interfaces.items():
        for own in interface.addresses:
            yield own, name


def brings_network(own: Prefix) -> bool:
    """Return whether the kernel adds a route to the network of an address: not for an IPv4 /32, nor in 0.0.0.0/8.

    It is fib_add_ifaddr() in the kernel.
    """
    return own.version == 6 or (own.network.prefixlen < 32 and own.network.network_address not in _ZERO)


def broadcast_of(interfaces: dict[str, Interface], address: Host) -> Prefix | None:
    """Return the IPv4 address of an interface whose broadcast address (RFC 919) this is, None where it is none."""
    if address.version == 6 or int(address) & 3 != 3:  # of a network with one, two bits at least are for hosts
        return None
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
    """Yield the networks whose hosts are reached directly: where a next hop can be."""
    for own, name in connected(interfaces):
        if name != LOOPBACK and brings_network(own):
            yield own.network, name
    for route in routes:
        if route.dev is not None and route.via is None and route.type == "unicast":
            yield route.to, route.dev


def metric_of(route: Route) -> int:
    """Return the metric of a route: the kernel's default where the file has none."""
    return route.metric or DEFAULT_METRIC[route.to.version]
