"""Interfaces and their counters, for who follows a lab: as rtnetlink messages tell of them.

Who follows a lab reads such a message for every change of every interface, and all counters once a second: here that
takes microseconds (linux/if_link.h).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

from labctl.kernel import rtnetlink as rt
from labctl.kernel.kinds import told_kind
from labctl.kernel.link_message import IFLA_MASTER, IFLA_MTU, LinkMessage, link_message, link_messages
from labctl.kernel.options import IFF_LOWER_UP, IFF_UP
from labctl.plan.facts import LinkCounters
from labctl.plan.notifications import LinkThere

RTM_GETSTATS = 94
_IF_STATS_MSG = struct.Struct("=BxxxII")  # family, index, filter
_IFLA_STATS_LINK_64 = 1
_STATS64 = struct.Struct("=8Q")  # rtnl_link_stats64 begins: packets, bytes, errors, dropped, each rx and tx


def link(message: bytes) -> LinkThere | None:
    """Return the interface that a message tells of; None where it is of a bridge, about a port of it."""
    return _there(link_message(message))


def _there(link: LinkMessage) -> LinkThere | None:
    if link.family != socket.AF_UNSPEC:
        return None
    mac = link.mac
    kind, stand_in = told_kind(link.kind, link.alias, mac)
    return LinkThere(
        link.index,
        link.name,
        kind,
        bool(link.flags & IFF_UP),
        bool(link.flags & IFF_LOWER_UP),
        link.number(IFLA_MTU) or 0,
        mac,
        link.number(IFLA_MASTER) or 0,
        stand_in,
    )


def links(netlink: rt.Rtnetlink) -> dict[int, LinkThere]:
    """Return the interfaces of a namespace, by index."""
    told = map(_there, link_messages(netlink))
    return {found.index: found for found in told if found}


def counters(netlink: rt.Rtnetlink) -> Iterator[tuple[int, LinkCounters]]:
    """Yield the counters of the interfaces of a namespace, by index."""
    wanted = _IF_STATS_MSG.pack(socket.AF_UNSPEC, 0, 1 << _IFLA_STATS_LINK_64 - 1)
    for message in netlink.messages(RTM_GETSTATS, wanted):
        _, index, _ = _IF_STATS_MSG.unpack_from(message)
        yield index, counted(rt.attributes(message[_IF_STATS_MSG.size :])[_IFLA_STATS_LINK_64])


def counted(told: bytes) -> LinkCounters:
    """Return the counters in a struct rtnl_link_stats64."""
    rx, tx, rx_bytes, tx_bytes, _, _, rx_dropped, tx_dropped = _STATS64.unpack_from(told)
    return LinkCounters(rx, tx, rx_bytes, tx_bytes, rx_dropped, tx_dropped)
