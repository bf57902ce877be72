"""What of the interfaces of a namespace says why a packet was lost there, beside what a plan compares (`observe`)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from contextlib import closing

from labctl.frozen import frozen
from labctl.kernel import addresses, neighbours
from labctl.kernel import rtnetlink as rt
from labctl.kernel.addresses import Address
from labctl.kernel.link_message import IFLA_STATS64, link_messages
from labctl.plan.facts import Neighbour

_FLAGS = (
    "up", "broadcast", "debug", "loopback", "pointopoint", "notrailers", "running", "noarp", "promisc", "allmulti",
    "master", "slave", "multicast", "portsel", "automedia", "dynamic", "lower_up", "dormant", "echo",
)  # fmt: skip
"""IFF_* of linux/if.h from the lowest bit, in the words of ip-link(8)."""

_STATISTICS = (
    "rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped",
    "multicast", "collisions", "rx_length_errors", "rx_over_errors", "rx_crc_errors", "rx_frame_errors",
    "rx_fifo_errors", "rx_missed_errors", "tx_aborted_errors", "tx_carrier_errors", "tx_fifo_errors",
    "tx_heartbeat_errors", "tx_window_errors", "rx_compressed", "tx_compressed", "rx_nohandler",
    "rx_otherhost_dropped",
)  # fmt: skip
"""The fields of struct rtnl_link_stats64, in their order; the kernel tells as many as it has."""


@frozen
class Details:
    """One interface: its flags in the words of ip-link(8), and its counters by the names of rtnl_link_stats64.

    Neighbours are in every state, with `incomplete` for one that is asked for and `failed` for one that has not
    answered.
    """

    flags: frozenset[str]
    statistics: Mapping[str, int]
    addresses: tuple[Address, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()


def details() -> dict[str, Details]:
    """Return the interfaces of this thread's namespace, by name."""
    with closing(rt.Rtnetlink()) as netlink:
        owned, known = addresses.addresses(netlink), neighbours.seen(netlink)
        links = link_messages(netlink)
    return {
        link.name: Details(
            frozenset(word for bit, word in enumerate(_FLAGS) if link.flags & 1 << bit),
            _statistics(link.attributes.get(IFLA_STATS64, b"")),
            tuple(owned.get(link.index, ())),
            tuple(known.get(link.index, ())),
        )
        for link in links
    }


def _statistics(data: bytes) -> dict[str, int]:
    return dict(zip(_STATISTICS, struct.unpack(f"={len(data) // 8}Q", data), strict=False))
