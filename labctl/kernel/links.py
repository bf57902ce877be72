"""The interfaces of a namespace for who follows a lab, and is told of each change."""

from __future__ import annotations

import socket

from labctl.kernel import rtnetlink as rt
from labctl.kernel.kinds import kind_of
from labctl.kernel.link_message import IFF_LOWER_UP, IFF_UP, IFLA_MTU, LinkMessage, all_links
from labctl.plan.notifications import LinkThere


def link(message: bytes) -> LinkThere | None:
    """Return the interface that a message tells of; None where it is of a bridge, about a port of it."""
    return _there(LinkMessage(message))


def links(netlink: rt.Rtnetlink) -> dict[int, LinkThere]:
    """Return the interfaces of a namespace, by index."""
    return {found.index: found for found in map(_there, all_links(netlink)) if found}


def _there(found: LinkMessage) -> LinkThere | None:
    if found.family != socket.AF_UNSPEC:
        return None
    kind, stand_in = kind_of(found)
    return LinkThere(
        found.index,
        found.name,
        kind,
        bool(found.flags & IFF_UP),
        bool(found.flags & IFF_LOWER_UP),
        found.attributes.number(IFLA_MTU) or 0,
        found.mac,
        found.master,
        stand_in,
    )
