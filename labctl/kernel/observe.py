"""What the kernel says there is: links, addresses, routes and counters of a namespace, as plain data."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import replace

from labctl.kernel import (
    addresses,
    filters,
    namespaces,
    neighbours,
    netem,
    options,
    qdiscs,
    routes,
    rules,
    sysctls,
    veth_peers,
)
from labctl.kernel import rtnetlink as rt
from labctl.kernel.kinds import told_kind
from labctl.kernel.link_message import (
    IFLA_AF_SPEC,
    IFLA_INFO_DATA,
    IFLA_LINKINFO,
    IFLA_MASTER,
    IFLA_MTU,
    IFLA_OPERSTATE,
    IFLA_STATS64,
    LinkMessage,
    link_messages,
    number,
)
from labctl.kernel.links import counted
from labctl.kernel.options import IFF_LOWER_UP, IFF_UP
from labctl.plan.facts import Link, LinkCounters, Namespace
from labctl.plan.steps.addresses import ADDRGENMODES
from labctl.process.syscalls import network_namespace

_IFLA_TUN_OWNER, _IFLA_TUN_PERSIST, _IFLA_INET6_ADDR_GEN_MODE = 1, 6, 8  # linux/if_link.h
_OPERSTATES = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")  # IF_OPER_* of linux/if.h


def observe(name: str, paths: Iterable[str] = (), others: Iterable[str] = ()) -> Namespace | None:
    """Return what is in a namespace; None where it is gone.

    `paths` are those of the settings to read; `others` the namespaces in which its cables may end.
    """
    if not namespaces.taken(name):
        return None
    fd = namespaces.open_namespace(name)
    try:
        with network_namespace(fd):
            netlink = rt.Rtnetlink()
            settings, found = sysctls.read(paths), filters.found()
        try:
            there = _read(netlink, name, settings, others)
        finally:
            netlink.close()
        unseen = found.unseen if there.rules else {**found.unseen, "rules": "this kernel has no policy routing"}
        return replace(there, tables=found.tables, listing=found.listing, xfrm=found.xfrm, unseen=unseen)
    finally:
        os.close(fd)


def _read(netlink: rt.Rtnetlink, name: str, settings: dict[str, str | None], others: Iterable[str]) -> Namespace:
    links = link_messages(netlink)
    owned = addresses.addresses(netlink)
    names = {link.index: link.name for link in links}
    seen = list(routes.routes(netlink, names))
    veths = [link for link in links if link.kind == "veth"]
    peers = veth_peers.other_ends(netlink, name, veths, names, others)
    networks, local = _by_device(seen, "main"), _by_device(seen, "local", "local")
    attached = qdiscs.attached(netlink)
    netems, asked_for = netem.attached(attached), qdiscs.asked_for(attached)
    known = neighbours.entries(netlink)
    macs = {link.mac for link in links}
    has_ports = any(link.number(IFLA_MASTER) for link in links)
    forwarding = neighbours.static_forwarding(netlink, macs) if has_ports else {}
    found = {}
    for link in links:
        index = link.index
        found[names[index]] = replace(
            _link(link),
            master=names.get(link.number(IFLA_MASTER) or 0, ""),
            peer=peers.get(index),
            netem=netems[index].impairment() if index in netems else None,
            addresses=tuple(map(str, owned.get(index, ()))),
            by_itself=tuple(str(address) for address in owned.get(index, ()) if address.by_itself),
            networks=tuple(networks.get(names[index], ())),
            local=tuple(local.get(names[index], ())),
            qdiscs=tuple(asked_for.get(index, ())),
            neighbours=tuple(known.get(index, ())),
            forwarding=tuple(forwarding.get(index, ())),
        )
        settings |= sysctls.of_link(link)
    by_hand = tuple(each.route for each in seen if each.is_by_hand)
    return Namespace(found, by_hand, rules.rules(netlink), settings)


def counters(name: str) -> dict[str, LinkCounters]:
    """Return only the counters of a namespace's interfaces, by name."""
    with namespaces.inside(name):
        netlink = rt.Rtnetlink()
    try:
        links = link_messages(netlink)
    finally:
        netlink.close()
    return {link.name: counted(link.attributes[IFLA_STATS64]) for link in links}


def _by_device(seen: Iterable[routes.Seen], table: str, type_: str = "unicast") -> dict[str, list[str]]:
    """Return the destinations of the kernel's own routes of a table and type, by interface."""
    found: dict[str, list[str]] = {}
    for route, protocol, _ in seen:
        if protocol == routes.RTPROT_KERNEL and (route.table, route.type) == (table, type_) and route.dev:
            found.setdefault(route.dev, []).append(route.to)
    return found


def _link(link: LinkMessage) -> Link:
    """Return what an interface says of itself alone."""
    mac = link.mac
    kind, stand_in = told_kind(link.kind, link.alias, mac)
    return Link(
        name=link.name,
        kind=kind,
        up=bool(link.flags & IFF_UP),
        carrier=bool(link.flags & IFF_LOWER_UP),
        state=_OPERSTATES[link.number(IFLA_OPERSTATE) or 0],
        mtu=link.number(IFLA_MTU) or 0,
        mac=mac,
        owner=_owner(link) if kind in ("tun", "tap") else "",
        persistent=number(link.nested(IFLA_LINKINFO, IFLA_INFO_DATA), _IFLA_TUN_PERSIST) != 0,
        addrgenmode=_addrgenmode(link),
        stand_in=stand_in,
        options=options.of_link(link),
        counters=counted(link.attributes[IFLA_STATS64]),
    )


def _owner(link: LinkMessage) -> str:
    """Return the user who may attach to a TUN or TAP device: a name, or a number that has none."""
    uid = number(link.nested(IFLA_LINKINFO, IFLA_INFO_DATA), _IFLA_TUN_OWNER)
    if uid is None:
        return ""
    from labctl.process.users import outside, user_name  # which few labs need

    return user_name(outside(uid))


def _addrgenmode(link: LinkMessage) -> str:
    coded = number(link.nested(IFLA_AF_SPEC, socket.AF_INET6), _IFLA_INET6_ADDR_GEN_MODE)
    return "" if coded is None else ADDRGENMODES[coded]
