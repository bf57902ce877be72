"""What the kernel says there is: links, addresses, routes and counters of a namespace, as plain data."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import Any

from labctl.kernel import namespaces, netem
from labctl.kernel import rtnetlink as rt
from labctl.kernel.perform import DUMMY_STAND_IN, IFF_UP, RT_TABLE_MAIN, RTN_UNICAST
from labctl.kernel.syscalls import network_namespace
from labctl.plan.facts import Counters, Link, Namespace, Route
from labctl.plan.netem import Netem

IFF_LOWER_UP = 1 << 16  # linux/if.h
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_ADDRGENMODES = {0: "eui64", 1: "none", 2: "stable-privacy", 3: "random"}
_RTPROT_KERNEL, _RTPROT_RA = 2, 9  # routes that come with an address, and those of router advertisements


def observe(name: str, sysctls: Iterable[str] = ()) -> Namespace | None:
    """Read one namespace; None where it is gone. `sysctls` are the settings to read, by their path."""
    if not namespaces.taken(name):
        return None
    fd = namespaces.open_namespace(name)
    try:
        with network_namespace(fd):
            netlink = rt.Rtnetlink()
            settings = {path: value for path in sysctls if (value := _read_sysctl(path)) is not None}
        try:
            links = netlink.dump(rt.RTM_GETLINK, rt.link(0))
            addresses = netlink.dump(rt.RTM_GETADDR, rt.encoded(rt.ifaddrmsg()))
            impaired = any(link.get_attr("IFLA_QDISC") == "netem" for link in links)
            netems = netem.attached(netlink) if impaired else {}
            routes = [route for family in _FAMILIES for route in _routes_of(netlink, family)]
        finally:
            netlink.close()
    finally:
        os.close(fd)
    names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in links}
    return Namespace(
        {names[link["index"]]: _link(link, names, addresses, netems) for link in links},
        tuple(_route(route, names) for route in routes if _is_ours_to_see(route)),
        settings,
    )


def counters(name: str) -> dict[str, Counters]:
    """Only the counters of a namespace's interfaces, by name."""
    with namespaces.inside(name):
        netlink = rt.Rtnetlink()
    try:
        links = netlink.dump(rt.RTM_GETLINK, rt.link(0))
    finally:
        netlink.close()
    return {link.get_attr("IFLA_IFNAME"): _counters(link) for link in links}


def _routes_of(netlink: rt.Rtnetlink, family: int) -> list[Any]:
    # A dump of all families at once stops after IPv4 where the request is checked strictly.
    message = rt.rtmsg()
    message["family"] = family
    return netlink.dump(rt.RTM_GETROUTE, rt.encoded(message))


def _link(link: Any, names: dict[int, str], addresses: list[Any], netems: dict[int, Netem]) -> Link:
    index = link["index"]
    info = link.get_attr("IFLA_LINKINFO")
    kind = info.get_attr("IFLA_INFO_KIND") if info else "lo" if index == 1 else ""
    alias = link.get_attr("IFLA_IFALIAS") or ""
    stand_in = ""
    if alias == DUMMY_STAND_IN:
        kind, stand_in = "dummy", kind
    elif kind == "tun" and link.get_attr("IFLA_ADDRESS"):
        kind = "tap"  # the driver calls both tun; only a TAP has a hardware address
    return Link(
        name=names[index],
        kind=kind,
        up=bool(link["flags"] & IFF_UP),
        carrier=bool(link["flags"] & IFF_LOWER_UP),
        state=(link.get_attr("IFLA_OPERSTATE") or "unknown").lower(),
        mtu=link.get_attr("IFLA_MTU"),
        mac=link.get_attr("IFLA_ADDRESS") or "",
        master=names.get(link.get_attr("IFLA_MASTER") or 0, ""),
        netem=str(netems[index].impairment()) if index in netems else "",
        addrgenmode=_addrgenmode(link),
        stand_in=stand_in,
        addresses=tuple(
            f"{address.get_attr('IFA_LOCAL') or address.get_attr('IFA_ADDRESS')}/{address['prefixlen']}"
            for address in addresses
            if address["index"] == index
        ),
        counters=_counters(link),
    )


def _addrgenmode(link: Any) -> str:
    families = link.get_attr("IFLA_AF_SPEC")
    inet6 = families.get_attr("AF_INET6") if families else None
    return _ADDRGENMODES.get(inet6.get_attr("IFLA_INET6_ADDR_GEN_MODE") if inet6 else 0, "eui64")


def _counters(link: Any) -> Counters:
    stats = link.get_attr("IFLA_STATS64") or {}
    return Counters(
        **{
            name: stats.get(name, 0)
            for name in ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_dropped", "tx_dropped")
        }
    )


def _is_ours_to_see(route: Any) -> bool:
    return (
        route["type"] == RTN_UNICAST
        and route["table"] == RT_TABLE_MAIN
        and route["proto"] not in (_RTPROT_KERNEL, _RTPROT_RA)
    )


def _route(route: Any, names: dict[int, str]) -> Route:
    any_address = "0.0.0.0" if route["family"] == socket.AF_INET else "::"
    return Route(
        to=f"{route.get_attr('RTA_DST') or any_address}/{route['dst_len']}",
        via=route.get_attr("RTA_GATEWAY"),
        dev=names.get(route.get_attr("RTA_OIF") or 0),
        metric=route.get_attr("RTA_PRIORITY") or 0,
    )


def _read_sysctl(path: str) -> str | None:
    try:
        with open(f"/proc/sys/{path}") as file:
            return " ".join(file.read().split())
    except OSError:
        return None
