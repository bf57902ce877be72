"""Interfaces and their counters as rtnetlink messages tell of them, laid out by hand.

Who follows a lab reads such a message for every change of every interface, and all counters once a second: here that
takes microseconds (linux/if_link.h).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

from labctl.kernel import rtnetlink as rt
from labctl.kernel.kinds import told_kind
from labctl.plan.facts import LinkCounters
from labctl.plan.notifications import LinkThere

_IFINFOMSG = struct.Struct("=BxHiII")  # family, type, index, flags, change
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_IFALIAS = 1, 3, 4, 10, 18, 20
_IFLA_INFO_KIND = 1
_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
LOOPBACK_INDEX = 1

RTM_GETSTATS = 94
_IF_STATS_MSG = struct.Struct("=BxxxII")  # family, index, filter
_IFLA_STATS_LINK_64 = 1
_STATS64 = struct.Struct("=8Q")  # rtnl_link_stats64 begins: packets, bytes, errors, dropped, each rx and tx


def link(message: bytes) -> LinkThere | None:
    """Return the interface that a message tells of; None where it is of a bridge, about a port of it."""
    family, _, index, flags, _ = _IFINFOMSG.unpack_from(message)
    if family != socket.AF_UNSPEC:
        return None
    found = rt.attributes(message[_IFINFOMSG.size :])
    info = rt.attributes(found.get(_IFLA_LINKINFO, b""))
    mac = found.get(_IFLA_ADDRESS, b"").hex(":")
    told = "lo" if index == LOOPBACK_INDEX else _text(info.get(_IFLA_INFO_KIND, b""))
    kind, stand_in = told_kind(told, _text(found.get(_IFLA_IFALIAS, b"")), mac)
    return LinkThere(
        index,
        _text(found.get(_IFLA_IFNAME, b"")),
        kind,
        bool(flags & _IFF_UP),
        bool(flags & _IFF_LOWER_UP),
        _u32(found.get(_IFLA_MTU)),
        mac,
        _u32(found.get(_IFLA_MASTER)),
        stand_in,
    )


def links(netlink: rt.Rtnetlink) -> dict[int, LinkThere]:
    """Return the interfaces of a namespace, by index."""
    told = map(link, netlink.messages(rt.RTM_GETLINK, bytes(_IFINFOMSG.size)))
    return {found.index: found for found in told if found}


def counters(netlink: rt.Rtnetlink) -> Iterator[tuple[int, LinkCounters]]:
    """Yield the counters of the interfaces of a namespace, by index."""
    wanted = _IF_STATS_MSG.pack(socket.AF_UNSPEC, 0, 1 << _IFLA_STATS_LINK_64 - 1)
    for message in netlink.messages(RTM_GETSTATS, wanted):
        _, index, _ = _IF_STATS_MSG.unpack_from(message)
        told = rt.attributes(message[_IF_STATS_MSG.size :])[_IFLA_STATS_LINK_64]
        rx, tx, rx_bytes, tx_bytes, _, _, rx_dropped, tx_dropped = _STATS64.unpack_from(told)
        yield index, LinkCounters(rx, tx, rx_bytes, tx_bytes, rx_dropped, tx_dropped)


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def _u32(value: bytes | None) -> int:
    return int(struct.unpack_from("=I", value)[0]) if value else 0
