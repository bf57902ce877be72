"""Which rule and which route take a packet, worked out from all rules and routes of a namespace (ip-rule(8)).

The rules are tried in the order of their priority. One that matches has the packet looked up in a table, refused, or
goes on elsewhere. In a table the longest prefix that has the destination in it wins, then the lower metric; where the
table has none, or throws the packet back, or the rule suppresses what was found, the next rule follows
(net/core/fib_rules.c: fib_rules_lookup(); net/ipv4/fib_rules.c: fib4_rule_action(), fib4_rule_suppress()).

A rule may look at what a flow does not have, such as its type of service. Then what follows is not certain.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

from labctl.frozen import frozen
from labctl.kernel.flow import Flow
from labctl.plan.routes import Route, Rule
from labctl.topology.values import Host

LOOPBACK = "lo"
"""Where a packet of the namespace itself comes from, as rules see it (LOOPBACK_IFINDEX)."""

REFUSING = ("blackhole", "unreachable", "prohibit")
_PREFERENCE = {"high": 0, "low": 2}  # RFC 4191; else medium


@frozen
class Decision:
    """The rule and the route that take a packet, or refuse it; a rule that refuses by itself has no route.

    Where nothing takes the packet neither is there, or the last that threw it back. What depends on more than the flow
    says is not `certain`.
    """

    rule: Rule | None
    route: Route | None
    certain: bool = True


def decide(flow: Flow, arrived: str, rules: Sequence[Rule], routes: Iterable[Route]) -> Decision:
    """Return what takes the packets of a flow that arrived at an interface, or, at `lo`, that the namespace makes.

    The rules are in the kernel's order, as a dump has them.
    """
    tables = _by_table(flow, routes)
    thrown: tuple[Rule | None, Route | None] = (None, None)
    certain, position = True, 0
    while position < len(rules):
        rule = rules[position]
        position += 1
        takes = _takes(rule, flow, arrived)
        certain = certain and takes is not None
        if not takes:
            continue
        action, _, target = rule.action.partition(" ")
        if action == "goto":
            position = next((at for at, other in enumerate(rules) if other.priority == int(target)), position)
        elif action == "lookup":
            route = tables.get(rule.table or "")
            if route is not None and route.type == "throw":
                thrown = rule, route
            elif route is not None and not _suppressed(rule, route):
                return Decision(rule, route, certain)
        elif action != "nop":
            return Decision(rule, None, certain)
    return Decision(*thrown, certain)


def _by_table(flow: Flow, routes: Iterable[Route]) -> dict[str, Route]:
    """Return the route of each table that takes a flow."""
    best: dict[str, Route] = {}
    for route in routes:
        if _covers(route, flow) and (route.table not in best or _rank(route) < _rank(best[route.table])):
            best[route.table] = route
    return best


def _covers(route: Route, flow: Flow) -> bool:
    if route.version != flow.to.version or flow.to not in ipaddress.ip_network(route.to):
        return False
    if "tos" in route.more or not _leads_through(route, flow.bound_to):
        return False
    origin = _after("from", route.more)
    return origin is None or (flow.source is not None and flow.source in ipaddress.ip_network(origin))


def _leads_through(route: Route, interface: str) -> bool:
    """Return whether a route is one for a socket that is bound to an interface: not where it leads through others.

    One that refuses leads through none in IPv4, and through lo in IPv6.
    """
    devices = {route.dev, *(hop.dev for hop in route.nexthops)} - {None}
    return not interface or interface in devices or (not devices and route.version == 4)


def _rank(route: Route) -> tuple[int, int, int]:
    """Return the order of the routes that have a destination: the least is taken, of equals the first one."""
    preference = _PREFERENCE.get(_after("pref", route.more) or "", 1)
    return -ipaddress.ip_network(route.to).prefixlen, route.metric, preference


def _after(word: str, words: Sequence[str]) -> str | None:
    return words[words.index(word) + 1] if word in words else None


def _suppressed(rule: Rule, route: Route) -> bool:
    """Return whether a rule wants none of the routes this short; one that refuses is not asked."""
    shortest = rule.suppress_prefixlength
    too_short = shortest is not None and ipaddress.ip_network(route.to).prefixlen <= shortest
    return too_short and route.type not in REFUSING


def _takes(rule: Rule, flow: Flow, arrived: str) -> bool | None:
    """Return whether a rule matches a flow; None where that depends on what a flow does not say."""
    answers = list(_answers(rule, flow, arrived))
    if False in answers:
        return rule.inverted
    return None if None in answers else not rule.inverted


def _answers(rule: Rule, flow: Flow, arrived: str) -> Iterator[bool | None]:
    """Yield whether each thing that a rule asks for is so."""
    yield rule.version == flow.to.version
    yield _within(flow.to, rule.to)
    yield _within(flow.source, rule.source)
    yield rule.iif in (None, arrived)
    yield rule.oif in (None, flow.bound_to if arrived == LOOPBACK else "")
    if rule.fwmark is not None:
        mark, _, mask = rule.fwmark.partition("/")
        yield flow.mark & (int(mask, 16) if mask else 0xFFFFFFFF) == int(mark, 16)
    if rule.ipproto is not None:
        yield flow.protocol == rule.ipproto
    for ports, port in ((rule.sport, flow.sport), (rule.dport, flow.dport)):
        if ports is not None:
            yield _in_range(port, ports)
    match rule.more:
        case ("uidrange", users) if flow.user is not None and arrived == LOOPBACK:
            first, _, last = users.partition("-")
            yield int(first) <= flow.user <= int(last)
        case (_, *_):
            yield None


def _within(address: Host | None, network: str) -> bool:
    """Return whether an address is in a network; one that is not chosen yet is in none but that of all."""
    if network == "all":
        return True
    whole = ipaddress.ip_network(network)
    return whole.prefixlen == 0 or (address is not None and address in whole)


def _in_range(port: int, ports: str) -> bool | None:
    """Return whether a port is one of these; None where either is not known."""
    if not port or "/" in ports:
        return None
    first, _, last = ports.partition("-")
    return int(first) <= port <= int(last or first)
