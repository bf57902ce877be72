"""Which way the kernel sends a packet that a namespace makes itself (rtnetlink(7), RTM_GETROUTE of one destination).

The look-up is the one that a socket makes: rules, tables and metrics are the kernel's, and are not followed here.
"""

from __future__ import annotations

import socket
import struct
from contextlib import closing
from dataclasses import dataclass

from labctl.kernel import namespaces
from labctl.kernel.routes import decoded
from labctl.kernel.rtnetlink import NLM_F_ACK, RTM_GETROUTE, Rtnetlink, attribute
from labctl.topology.values import Host

_RTMSG = struct.Struct("=8BI")  # linux/rtnetlink.h: family, lengths of destination and source, ..., flags
_RTA_DST, _RTA_SRC = 1, 2


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
    """Return the way from a namespace to an address. Raise OSError: the errno that a sender would get."""
    family = socket.AF_INET if to.version == 4 else socket.AF_INET6
    body = _RTMSG.pack(family, to.max_prefixlen, source.max_prefixlen if source else 0, 0, 0, 0, 0, 0, 0)
    body += attribute(_RTA_DST, to.packed) + (attribute(_RTA_SRC, source.packed) if source else b"")
    with namespaces.inside(namespace), closing(Rtnetlink()) as netlink:
        (answer,) = netlink.messages(RTM_GETROUTE, body, NLM_F_ACK)
        route = decoded(answer, dict(socket.if_nameindex()))
    return Way(route.dev or "", route.via, route.src, route.type == "local")
