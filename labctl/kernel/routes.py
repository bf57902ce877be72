"""Routes over rtnetlink (linux/rtnetlink.h): read whole, made from what a file can say, deleted as they were read.

A route is deleted by its own message, as `ip route flush` does it, so that of several to one destination exactly that
one goes, whatever it has that a file cannot say.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Collection, Iterator, Mapping
from enum import IntEnum
from typing import NamedTuple

from labctl.kernel import rtnetlink as rt
from labctl.plan.routes import NextHop, Route
from labctl.topology.iproute import TABLES

FAMILIES = (socket.AF_INET, socket.AF_INET6)
_VERSIONS = {4: socket.AF_INET, 6: socket.AF_INET6}
TABLE_NAMES = {number: name for name, number in TABLES.items()}

RTPROT_KERNEL, RTPROT_STATIC, _RTPROT_GATED = 2, 4, 8

_RTMSG = struct.Struct("=8BI")  # family, dst_len, src_len, tos, table, protocol, scope, type, flags
_RTNEXTHOP = struct.Struct("=HBBi")  # length, flags, hops (the weight less one), ifindex
_RTM_F_CLONED, _RTNH_F_PERVASIVE, _RTNH_F_ONLINK = 0x200, 2, 4


class _Rta(IntEnum):
    """The attributes of a route that have words."""

    DST = 1
    SRC = 2
    IIF = 3  # only of a look-up
    OIF = 4
    GATEWAY = 5
    PRIORITY = 6
    PREFSRC = 7
    METRICS = 8
    MULTIPATH = 9
    FLOW = 11
    CACHEINFO = 12
    TABLE = 15
    VIA = 18
    PREF = 20
    PAD = 24
    UID = 25  # only of a look-up
    NH_ID = 30


_UNDERSTOOD = frozenset(_Rta)
_ENCAPSULATION = (21, 22)
_STOOD_FOR = (_Rta.OIF, _Rta.GATEWAY, _Rta.VIA, _Rta.MULTIPATH, *_ENCAPSULATION)  # by a nexthop object

_TYPES = (
    "none", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw",
)  # fmt: skip
_REFUSING = ("blackhole", "unreachable", "prohibit", "throw")
SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
"""How far an address or a route is valid, in the words of ip(8) (linux/rtnetlink.h: enum rt_scope_t)."""

_UNIVERSE, _LINK = 0, 253
_SCOPE_OF = {"local": 254, "broadcast": _LINK, "anycast": _LINK, "multicast": _LINK}
_PREFERENCES = {1: "high", 3: "low"}  # RFC 4191; 0 is medium

_LOCK, _CONGCTL = 1, 16
METRICS = {
    2: "mtu", 3: "window", 4: "rtt", 5: "rttvar", 6: "ssthresh", 7: "cwnd", 8: "advmss", 9: "reordering",
    10: "hoplimit", 11: "initcwnd", 12: "features", 13: "rto_min", 14: "initrwnd", 15: "quickack", 16: "congctl",
    17: "fastopen_no_cookie",
}  # fmt: skip
_METRIC_NUMBERS = {name: number for number, name in METRICS.items()}


class Seen(NamedTuple):
    """A route that is there: as data, who made it, and the message that says so."""

    route: Route
    protocol: int
    message: bytes

    @property
    def is_by_hand(self) -> bool:
        """Return whether a person or labctl made it.

        What comes with an address is the kernel's. The protocols from RTPROT_GATED on are those of programs: routing
        daemons (zebra, bird, ospf, bgp), DHCP, and the kernel's for router advertisements (linux/rtnetlink.h). What
        these have learned they change and take back themselves.
        """
        return self.protocol != RTPROT_KERNEL and self.protocol < _RTPROT_GATED


def routes(netlink: rt.Rtnetlink, names: Mapping[int, str]) -> Iterator[Seen]:
    """Yield every route of every table of a namespace, whose interfaces have these names by their index."""
    for family in FAMILIES:
        # A dump of all families at once stops after IPv4 where the request is checked strictly.
        for message in netlink.messages(rt.RTM_GETROUTE, _RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)):
            # A kernel without a family answers with the routes of all others (net/core/rtnetlink.c: rtnl_dump_all()).
            if message[0] == family and (found := seen(message, names)):
                yield found


def seen(message: bytes, names: Mapping[int, str]) -> Seen | None:
    """Return the route that a message tells of; None where it is a cached copy, or of another protocol than IP."""
    family, _, _, _, _, protocol, _, _, flags = _RTMSG.unpack_from(message)
    if flags & _RTM_F_CLONED or family not in FAMILIES:
        return None
    return Seen(decoded(message, names), protocol, message)


def local_ipv6(netlink: rt.Rtnetlink) -> set[ipaddress.IPv6Address]:
    """Return the IPv6 addresses of a namespace that have their route in table local: what is sent there has arrived."""
    request = _RTMSG.pack(socket.AF_INET6, 0, 0, 0, TABLES["local"], 0, 0, 0, 0)
    found = (decoded(message, {}) for message in netlink.messages(rt.RTM_GETROUTE, request))
    return {ipaddress.IPv6Address(route.to.partition("/")[0]) for route in found if route.type == "local"}


def add(netlink: rt.Rtnetlink, route: Route, indexes: Mapping[str, int]) -> None:
    """Make a static route. Raise Refused."""
    netlink.request(rt.RTM_NEWROUTE, encoded(route, indexes), rt.NLM_F_CREATE | rt.NLM_F_EXCL)


def delete(netlink: rt.Rtnetlink, route: Route, names: Mapping[int, str]) -> None:
    """Delete exactly this route; of several that differ by who made them alone, one that is not labctl's.

    Raise Refused.
    """
    same = [seen for seen in routes(netlink, names) if seen.route == route]
    if not same:
        raise rt.Refused(errno.ESRCH, "there is no such route any more")
    seen = min(same, key=lambda one: one.protocol == RTPROT_STATIC)
    netlink.request(rt.RTM_DELROUTE, _without_ways_of_object(seen.message))


def _without_ways_of_object(message: bytes) -> bytes:
    """Return a message without what its nexthop object has, next hops and type: the kernel shows both and takes one."""
    found = rt.attributes(message[_RTMSG.size :])
    if _Rta.NH_ID not in found:
        return message
    kept = (rt.attribute(kind, value) for kind, value in found.items() if kind not in _STOOD_FOR)
    *head, _, flags = _RTMSG.unpack_from(message)
    return _RTMSG.pack(*head, _TYPES.index("none"), flags) + b"".join(kept)


def encoded(route: Route, indexes: Mapping[str, int]) -> bytes:
    """Return a static route as a request."""
    network = ipaddress.ip_network(route.to)
    table = TABLES.get(route.table) or int(route.table)
    on_link = route.version == 4 and route.type == "unicast" and route.via is None and not route.nexthops
    header = _RTMSG.pack(
        _VERSIONS[route.version],
        network.prefixlen,
        0,
        0,
        table if table < 256 else 0,
        RTPROT_STATIC,
        _LINK if on_link else _UNIVERSE,
        _TYPES.index(route.type),
        _RTNH_F_ONLINK if route.onlink else 0,
    )
    parts = [header, rt.attribute(_Rta.TABLE, _number(table)), rt.attribute(_Rta.PRIORITY, _number(route.metric))]
    if network.prefixlen:
        parts.append(rt.attribute(_Rta.DST, network.network_address.packed))
    if route.via:
        parts.append(_gateway(route.via, route.version))
    if route.dev:
        parts.append(rt.attribute(_Rta.OIF, _number(indexes[route.dev])))
    if route.src:
        parts.append(rt.attribute(_Rta.PREFSRC, ipaddress.ip_address(route.src).packed))
    if route.metrics:
        metrics = (rt.attribute(_METRIC_NUMBERS[name], _number(int(value))) for name, value in route.metrics)
        parts.append(rt.attribute(_Rta.METRICS, b"".join(metrics)))
    if route.nexthops:
        hops = (_nexthop(hop, route.version, indexes) for hop in route.nexthops)
        parts.append(rt.attribute(_Rta.MULTIPATH, b"".join(hops)))
    return b"".join(parts)


def _nexthop(hop: NextHop, version: int, indexes: Mapping[str, int]) -> bytes:
    gateway = _gateway(hop.via, version) if hop.via else b""
    flags = _RTNH_F_ONLINK if hop.onlink else 0
    index = indexes[hop.dev] if hop.dev else 0
    return _RTNEXTHOP.pack(_RTNEXTHOP.size + len(gateway), flags, hop.weight - 1, index) + gateway


def _gateway(via: str, version: int) -> bytes:
    address = ipaddress.ip_address(via)
    if address.version == version:
        return rt.attribute(_Rta.GATEWAY, address.packed)
    return rt.attribute(_Rta.VIA, struct.pack("=H", _VERSIONS[address.version]) + address.packed)


def _number(value: int) -> bytes:
    return struct.pack("=I", value)


def _u32(value: bytes) -> int:
    return int(struct.unpack_from("=I", value)[0])


def _address(value: bytes) -> str:
    return str(ipaddress.ip_address(value))


def decoded(message: bytes, names: Mapping[int, str]) -> Route:
    """Return a route as a message of the kernel's says it; `names` are the interfaces by their index."""
    family, length, _, _, table, _, _, kind, flags = _RTMSG.unpack_from(message)
    found = rt.attributes(message[_RTMSG.size :])
    number = _u32(found[_Rta.TABLE]) if _Rta.TABLE in found else table
    type_ = _TYPES[kind] if kind < len(_TYPES) else f"type {kind}"
    hops = tuple(_nexthops(found.get(_Rta.MULTIPATH, b""), names))
    device = names.get(_u32(found[_Rta.OIF])) if _Rta.OIF in found else None
    via = _next_hop_in(found)
    return Route(
        to=f"{_address(found.get(_Rta.DST, bytes(4 if family == socket.AF_INET else 16)))}/{length}",
        via=via,
        # IPv6 names lo for what goes nowhere.
        dev=None if type_ in _REFUSING else device,
        metric=_u32(found[_Rta.PRIORITY]) if _Rta.PRIORITY in found else 0,
        type=type_,
        table=TABLE_NAMES.get(number, str(number)),
        src=_address(found[_Rta.PREFSRC]) if _Rta.PREFSRC in found else None,
        onlink=bool(flags & _RTNH_F_ONLINK) and not hops,
        metrics=tuple(_metrics(found.get(_Rta.METRICS, b""))),
        nexthops=hops,
        more=tuple(_more(message, found, type_, on_link=via is None and not hops)),
    )


def _next_hop_in(found: Mapping[int, bytes]) -> str | None:
    if _Rta.VIA in found:
        return _address(found[_Rta.VIA][2:])  # behind its family
    return _address(found[_Rta.GATEWAY]) if _Rta.GATEWAY in found else None


def _nexthops(data: bytes, names: Mapping[int, str]) -> Iterator[NextHop]:
    offset = 0
    while offset + _RTNEXTHOP.size <= len(data):
        length, flags, hops, index = _RTNEXTHOP.unpack_from(data, offset)
        found = rt.attributes(data[offset + _RTNEXTHOP.size : offset + length])
        more = tuple(_unknown(found, {_Rta.GATEWAY, _Rta.VIA}))
        yield NextHop(_next_hop_in(found), names.get(index), hops + 1, bool(flags & _RTNH_F_ONLINK), more)
        offset += (length + 3) & ~3


def _metrics(data: bytes) -> Iterator[tuple[str, str]]:
    found = rt.attributes(data)
    locks = _u32(found.pop(_LOCK)) if _LOCK in found else 0
    for number, value in sorted(found.items()):
        text = value.rstrip(b"\0").decode(errors="replace") if number == _CONGCTL else str(_u32(value))
        yield METRICS.get(number, f"metric{number}"), f"lock {text}" if locks & 1 << number else text


def _more(message: bytes, found: Mapping[int, bytes], type_: str, *, on_link: bool) -> Iterator[str]:
    """Yield what a file cannot say, in the words of ip-route(8) where it has some."""
    family, _, source_length, tos, _, _, scope, _, flags = _RTMSG.unpack_from(message)
    usual = _SCOPE_OF.get(type_, _LINK if type_ == "unicast" and on_link else _UNIVERSE)
    if _Rta.SRC in found:
        yield from ("from", f"{_address(found[_Rta.SRC])}/{source_length}")
    if tos:
        yield from ("tos", f"{tos:#x}")
    if family == socket.AF_INET and scope != usual:
        yield from ("scope", SCOPES.get(scope, str(scope)))
    if flags & _RTNH_F_PERVASIVE:
        yield "pervasive"
    if _Rta.FLOW in found:
        yield from ("realm", str(_u32(found[_Rta.FLOW])))
    if _Rta.NH_ID in found:
        yield from ("nhid", str(_u32(found[_Rta.NH_ID])))
    if found.get(_Rta.PREF, b"\0")[0] in _PREFERENCES:
        yield from ("pref", _PREFERENCES[found[_Rta.PREF][0]])
    if _Rta.CACHEINFO in found and (expires := struct.unpack_from("=i", found[_Rta.CACHEINFO], 8)[0]):
        yield from ("expires", f"{expires // os.sysconf('SC_CLK_TCK')}sec")
    yield from _unknown(found, _UNDERSTOOD)


def _unknown(found: Mapping[int, bytes], understood: Collection[int]) -> Iterator[str]:
    for kind, value in found.items():
        if kind not in understood:
            yield f"attribute{kind}={value.hex()}"
