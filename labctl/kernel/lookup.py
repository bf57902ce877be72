"""Which way the kernel sends a packet, one that a namespace makes itself or one that arrives (RTM_GETROUTE).

A look-up is made twice: as a packet would have it, with the source address that is chosen and the MTU of the path, and
for the route that matched (RTM_F_FIB_MATCH). Of a route that refuses the kernel says only the errno. Which one that
was, and the rule that led to any, is worked out from all rules and routes (`policy`), and told where both agree.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

from labctl.frozen import frozen
from labctl.kernel import namespaces, policy, routes, rules
from labctl.kernel import rtnetlink as rt
from labctl.kernel.flow import Flow
from labctl.plan.routes import Route, Rule
from labctl.topology.iproute import IP_PROTOCOLS
from labctl.topology.values import Host

_RTMSG = struct.Struct("=8BI")  # linux/rtnetlink.h: family, lengths of destination and source, ..., flags
_RTM_F_LOOKUP_TABLE, _RTM_F_FIB_MATCH = 0x1000, 0x2000
_MATCHED = {4: _RTM_F_FIB_MATCH | _RTM_F_LOOKUP_TABLE, 6: _RTM_F_FIB_MATCH}  # IPv6 tells the table without being asked
_DST, _SRC, _IIF, _OIF, _MARK, _IP_PROTO, _SPORT, _DPORT = 1, 2, 3, 4, 16, 27, 28, 29
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_ASKED_WITH = {"tcp", "udp", "icmp", "ipv6-icmp"}  # net/ipv4/ip_input.c: rtm_getroute_parse_ip_proto()
_ROOT = 0  # whom a process in a lab is, whether of the machine or of a rootless environment
_REFUSED_WITH = {
    "blackhole": errno.EINVAL,
    "unreachable": errno.EHOSTUNREACH,
    "prohibit": errno.EACCES,
    "throw": errno.ENETUNREACH,  # and nothing followed
}
"""By a route of this type (net/ipv4/fib_semantics.c: fib_props)."""

_REFUSED_BY_RULE_WITH = {**_REFUSED_WITH, "unreachable": errno.ENETUNREACH}
"""By a rule with this action (net/ipv4/fib_rules.c: fib4_rule_action())."""


@frozen
class Way:
    """Where a packet goes: through an interface, to a next hop where there is one, and from which address of ours.

    `local` is what has arrived. The MTU is that of the path, where the route or ICMP have told one. The rule is None
    where it is not certain.
    """

    interface: str
    via: str | None
    source: str | None
    local: bool
    mtu: int | None = None
    route: Route | None = None
    rule: Rule | None = None

    def __str__(self) -> str:
        return f"through {self.interface}{f' via {self.via}' if self.via else ''}"


@frozen
class NoWay:
    """The kernel takes a packet nowhere: the errno, and what all rules and routes say of it, where that is certain.

    For a packet of our own ENETUNREACH means that no route has its destination, or that its source is no address of
    ours; EACCES a `prohibit`, EHOSTUNREACH an `unreachable`, EINVAL a `blackhole`. For one that arrives EHOSTUNREACH
    means that it is for another host and is not forwarded, or an `unreachable`; EINVAL (and EXDEV before Linux 6.15)
    that reverse path filtering, a martian address or a `blackhole` took it. So the route may be one that would have
    taken the packet.
    """

    errno: int
    text: str  # the kernel's own words, which are mostly empty
    route: Route | None = None
    rule: Rule | None = None

    @property
    def refused_by_route(self) -> bool:
        """Whether the route, or the rule where there is no route, is one that refuses with this errno."""
        if self.route is not None:
            return _REFUSED_WITH.get(self.route.type) == self.errno
        return self.rule is not None and _REFUSED_BY_RULE_WITH.get(self.rule.action) == self.errno


def way_to(namespace: str, to: Host) -> Way | NoWay:
    """Return the way of packets for an address that a namespace sends."""
    with namespaces.inside(namespace):
        return route_out(Flow(to))


def route_out(flow: Flow) -> Way | NoWay:
    """Return the way of packets that this thread's namespace sends, out of a socket of this process."""
    return _look_up(replace(flow, user=_ROOT), policy.LOOPBACK)


def route_in(flow: Flow, interface: str) -> Way | NoWay:
    """Return the way of packets that arrive at an interface of this thread's namespace.

    It is `local` where they are delivered here, else forwarded; whether IPv6 is forwarded the look-up does not say.
    Raise OSError where there is no such interface.
    """
    return _look_up(flow, interface)


def _look_up(flow: Flow, arrived: str) -> Way | NoWay:
    names = dict(socket.if_nameindex())
    with closing(rt.Rtnetlink()) as netlink:
        decided = _decided(netlink, flow, arrived, names)
        rule, route = (decided.rule, decided.route) if decided.certain else (None, None)
        try:
            packet = _answer(netlink, flow, arrived, names, 0)
        except rt.Refused as error:
            return NoWay(error.errno or 0, error.text, route, rule)
        try:
            matched = _answer(netlink, flow, arrived, names, _MATCHED[flow.to.version])
        except rt.Refused:  # a socket that is bound to an interface sends there even where no route leads
            matched = None
    if _is_same(matched, route):
        matched = route
    else:
        rule = None
    if packet.type in _REFUSED_WITH:  # IPv6 answers with the route
        return NoWay(_REFUSED_WITH[packet.type], "", matched, rule)
    source = packet.src or (str(flow.source) if flow.source else None)
    local = packet.type != "unicast"
    return Way(packet.dev or "", packet.via, source, local, _mtu(packet), matched, rule)


def _is_same(told: Route | None, decided: Route | None) -> bool:
    """Return whether the kernel tells of a route.

    As long as no rule was made the kernel keeps the tables local and main as one (fib_trie.c: fib_trie_table()),
    and tells of main.
    """
    if told is None or decided is None:
        return False
    return told == decided or (decided.table == "local" and told == replace(decided, table="main"))


def _decided(netlink: rt.Rtnetlink, flow: Flow, arrived: str, names: Mapping[int, str]) -> policy.Decision:
    found = (seen.route for seen in routes.routes(netlink, names))
    decided = policy.decide(flow, arrived, rules.rules(netlink).get(flow.to.version, ()), found)
    # Asked with a source, IPv6 only prefers the interface (ip6_route_output_flags()), on which a socket insists.
    is_strict = not flow.bound_to or flow.to.version == 4 or flow.source is None
    return replace(decided, certain=decided.certain and is_strict)


def _answer(netlink: rt.Rtnetlink, flow: Flow, arrived: str, names: Mapping[int, str], flags: int) -> Route:
    """Return what the kernel says of one packet. Raise Refused: it takes it nowhere; OSError: no such interface."""
    length = flow.to.max_prefixlen
    body = _RTMSG.pack(_FAMILIES[flow.to.version], length, length if flow.source else 0, 0, 0, 0, 0, 0, flags)
    body += rt.attribute(_DST, flow.to.packed)
    if flow.source is not None:
        body += rt.attribute(_SRC, flow.source.packed)
    for kind, name in ((_IIF, arrived if arrived != policy.LOOPBACK else ""), (_OIF, flow.bound_to)):
        if name:
            body += rt.attribute(kind, struct.pack("=I", _index(name, names)))
    if flow.mark:
        body += rt.attribute(_MARK, struct.pack("=I", flow.mark))
    if flow.protocol in _ASKED_WITH:
        body += rt.attribute(_IP_PROTO, bytes([IP_PROTOCOLS[flow.protocol]]))
    for kind, port in ((_SPORT, flow.sport), (_DPORT, flow.dport)):
        if port:
            body += rt.attribute(kind, struct.pack("!H", port))
    (answer,) = netlink.messages(rt.RTM_GETROUTE, body, rt.NLM_F_ACK)
    return routes.decoded(answer, names)


def _index(name: str, names: Mapping[int, str]) -> int:
    for index, known in names.items():
        if known == name:
            return index
    raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), name)


def _mtu(packet: Route) -> int | None:
    found = dict(packet.metrics).get("mtu")
    return int(found.removeprefix("lock ")) if found else None
