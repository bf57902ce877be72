"""The counters of interfaces, as the kernel keeps them (linux/if_link.h: rtnl_link_stats64)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from labctl.kernel import rtnetlink as rt
from labctl.plan.facts import LinkCounters

RTM_GETSTATS = 94
_IF_STATS_MSG = struct.Struct("=BxxxII")  # family, index, filter
_IFLA_STATS_LINK_64 = 1
_STATS64 = struct.Struct("=8Q")  # it begins with packets, bytes, errors, dropped, each rx and tx


def counters(netlink: rt.Rtnetlink) -> Iterator[tuple[int, LinkCounters]]:
    """Yield the counters of the interfaces of a namespace, by index."""
    for message in netlink.messages(RTM_GETSTATS, _IF_STATS_MSG.pack(0, 0, 1 << _IFLA_STATS_LINK_64 - 1)):
        _, index, _ = _IF_STATS_MSG.unpack_from(message)
        yield index, counters_in(rt.attributes(message[_IF_STATS_MSG.size :])[_IFLA_STATS_LINK_64])


def counters_in(stats: bytes) -> LinkCounters:
    """Return the counters in what a message tells of them."""
    rx, tx, rx_bytes, tx_bytes, _, _, rx_dropped, tx_dropped = _STATS64.unpack_from(stats)
    return LinkCounters(rx, tx, rx_bytes, tx_bytes, rx_dropped, tx_dropped)
