"""The message of an interface, as rtnetlink has it (linux/rtnetlink.h: ifinfomsg, linux/if_link.h: IFLA_*).

A request is the same message as an answer. What is in it are attributes by number, of which some hold attributes again.
"""

from __future__ import annotations

import struct

from labctl.kernel import rtnetlink as rt

LOOPBACK_INDEX = 1  # net/core/dev.c: LOOPBACK_IFINDEX

IFF_UP, IFF_NOARP, IFF_MULTICAST, IFF_LOWER_UP = 0x1, 0x80, 0x1000, 0x10000  # linux/if.h

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_TXQLEN = 1, 3, 4, 5, 10, 13
IFLA_OPERSTATE, IFLA_LINKINFO, IFLA_IFALIAS, IFLA_STATS64, IFLA_AF_SPEC = 16, 18, 20, 23, 26
IFLA_NET_NS_FD, IFLA_CARRIER, IFLA_LINK_NETNSID, IFLA_XDP = 28, 33, 37, 43
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5  # in IFLA_LINKINFO
AF_INET, AF_INET6 = 2, 10  # in IFLA_AF_SPEC
IFLA_INET_CONF, IFLA_INET6_CONF, IFLA_INET6_ADDR_GEN_MODE = 1, 2, 8  # in these

_IFINFOMSG = struct.Struct("=BxHiII")  # family, type, index, flags, change


def link(index: int, attributes: bytes = b"", flags: int = 0, change: int = 0) -> bytes:
    """Return the message of an interface, all of them where the index is 0; `change` says which flags are set."""
    return _IFINFOMSG.pack(0, 0, index, flags, change) + attributes


def new_link(name: str, kind: str, index: int = 0, data: bytes = b"") -> bytes:
    """Return what makes an interface; where the index is 0 the kernel chooses one. `data` is what its kind takes."""
    info = rt.text(IFLA_INFO_KIND, kind) + (rt.attribute(IFLA_INFO_DATA, data) if data else b"")
    return link(index, rt.text(IFLA_IFNAME, name) + rt.attribute(IFLA_LINKINFO, info))


class LinkMessage:
    """What the kernel tells of an interface."""

    def __init__(self, message: bytes) -> None:
        self.family, _, self.index, self.flags, _ = _IFINFOMSG.unpack_from(message)
        self.attributes = rt.attributes(message[_IFINFOMSG.size :])
        self.info = self.attributes.within(IFLA_LINKINFO)

    @property
    def name(self) -> str:
        return self.attributes.text(IFLA_IFNAME)

    @property
    def alias(self) -> str:
        return self.attributes.text(IFLA_IFALIAS)

    @property
    def mac(self) -> str:
        """Return the hardware address as ip-link(8) writes it; empty where there is none."""
        return self.attributes.get(IFLA_ADDRESS, b"").hex(":")

    @property
    def driver(self) -> str:
        """Return the kind as the kernel has it."""
        return self.info.text(IFLA_INFO_KIND) or ("lo" if self.index == LOOPBACK_INDEX else "")

    @property
    def master(self) -> int:
        """Return the index of the bridge that it is a port of; 0 where it is of none."""
        return self.attributes.number(IFLA_MASTER) or 0


def all_links(netlink: rt.Rtnetlink) -> list[LinkMessage]:
    """Return what the kernel tells of each interface of a namespace."""
    return [LinkMessage(message) for message in netlink.messages(rt.RTM_GETLINK, link(0))]
