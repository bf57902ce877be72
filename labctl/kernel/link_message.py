"""An interface as RTM_NEWLINK tells of it: struct ifinfomsg, and attributes, few of which are read (linux/if_link.h).

A dump of the interfaces of a namespace has some seventy attributes for each. To decode all of them takes longer than
everything else that is read of a namespace, so they are kept as bytes, and a reader decodes what it needs.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping

from labctl.frozen import frozen
from labctl.kernel import rtnetlink as rt

_IFINFOMSG = struct.Struct("=BxHiII")  # family, type, index, flags, change

LOOPBACK_INDEX = 1  # net/core/dev.c: LOOPBACK_IFINDEX

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_TXQLEN, IFLA_OPERSTATE = 1, 3, 4, 5, 10, 13, 16
IFLA_LINKINFO, IFLA_IFALIAS, IFLA_STATS64, IFLA_AF_SPEC, IFLA_LINK_NETNSID, IFLA_XDP = 18, 20, 23, 26, 37, 43
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5


@frozen
class LinkMessage:
    """One interface; attributes by their number, as they came."""

    family: int
    index: int
    flags: int
    attributes: Mapping[int, bytes]

    @property
    def name(self) -> str:
        """Return its name."""
        return text(self.attributes, IFLA_IFNAME)

    @property
    def alias(self) -> str:
        """Return its alias, empty where it has none."""
        return text(self.attributes, IFLA_IFALIAS)

    @property
    def mac(self) -> str:
        """Return its hardware address, empty where it has none."""
        return self.attributes.get(IFLA_ADDRESS, b"").hex(":")

    @property
    def kind(self) -> str:
        """Return what its driver calls it, `lo` for that of the namespace; empty where the driver does not say."""
        return text(self.nested(IFLA_LINKINFO), IFLA_INFO_KIND) or ("lo" if self.index == LOOPBACK_INDEX else "")

    def number(self, attribute: int) -> int | None:
        """Return an attribute that is a number, None where there is none."""
        return number(self.attributes, attribute)

    def nested(self, *way: int) -> Mapping[int, bytes]:
        """Return the attributes in an attribute, or in one of those, and so on; none where there is no such one."""
        found = self.attributes
        for attribute in way:
            found = rt.attributes(found.get(attribute, b""))
        return found


def text(attributes: Mapping[int, bytes], kind: int) -> str:
    """Return an attribute that is text, empty where there is none."""
    return attributes.get(kind, b"").rstrip(b"\0").decode(errors="replace")


def number(attributes: Mapping[int, bytes], kind: int) -> int | None:
    """Return an attribute that is an unsigned number of any size, None where there is none."""
    return int.from_bytes(attributes[kind], sys.byteorder) if kind in attributes else None


def link_message(message: bytes) -> LinkMessage:
    """Return what a message without its header tells of."""
    family, _, index, flags, _ = _IFINFOMSG.unpack_from(message)
    return LinkMessage(family, index, flags, rt.attributes(message[_IFINFOMSG.size :]))


def link_messages(netlink: rt.Rtnetlink) -> list[LinkMessage]:
    """Return the interfaces of a namespace."""
    return list(map(link_message, netlink.messages(rt.RTM_GETLINK, _IFINFOMSG.pack(0, 0, 0, 0, 0))))


def loopback(netlink: rt.Rtnetlink) -> LinkMessage:
    """Return the interface `lo` of a namespace."""
    (message,) = netlink.messages(rt.RTM_GETLINK, _IFINFOMSG.pack(0, 0, LOOPBACK_INDEX, 0, 0), rt.NLM_F_ACK)
    return link_message(message)
