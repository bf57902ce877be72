"""Which way the kernel sends a packet that a namespace makes itself (rtnetlink(7), RTM_GETROUTE of one destination).

The look-up is the one that a socket makes: rules, tables and metrics are the kernel's, and are not followed here.
"""

from __future__ import annotations

import socket
import struct
from contextlib import closing
from dataclasses import dataclass

from labctl.kernel import namespaces
from labctl.kernel.rtnetlink import RTM_GETROUTE, Rtnetlink, attribute
from labctl.topology.values import Host

_RTMSG = struct.Struct("=8BI")  # linux/rtnetlink.h: family, lengths of destination and source, ..., flags
_RTA_DST, _RTA_SRC, _RTN_LOCAL = 1, 2, 2


@dataclass(frozen=True)
class Way:
    """Where a packet goes: through an interface, to a next hop where there is one, and from which address of ours."""

    interface: str
    via: str | None
    source: str | None
    local: bool

    def __str__(self) -> str:
        return f"through {self.interface}{f' via {self.via}' if self.via else ''}"


def look_up(namespace: str, to: Host, source: Host | None = None) -> Way:
    """Return the way from a namespace to an address. Raises OSError: the errno that a sender would get."""
    body = _RTMSG.pack(_family(to), to.max_prefixlen, source.max_prefixlen if source else 0, 0, 0, 0, 0, 0, 0)
    body += attribute(_RTA_DST, to.packed) + (attribute(_RTA_SRC, source.packed) if source else b"")
    with namespaces.inside(namespace), closing(Rtnetlink()) as netlink:
        found = netlink.get(RTM_GETROUTE, body)
        return Way(
            socket.if_indextoname(found.get_attr("RTA_OIF")),
            found.get_attr("RTA_GATEWAY") or (found.get_attr("RTA_VIA") or {}).get("addr"),
            found.get_attr("RTA_PREFSRC"),
            found["type"] == _RTN_LOCAL,
        )


def _family(address: Host) -> int:
    return int(socket.AF_INET if address.version == 4 else socket.AF_INET6)
