"""What `ip link set` sets of an interface, read from its message and written by another (linux/if_link.h)."""

from __future__ import annotations

import struct

from labctl.kernel import rtnetlink as rt
from labctl.kernel.link_message import (
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_INFO_SLAVE_DATA,
    IFLA_INFO_SLAVE_KIND,
    IFLA_LINKINFO,
    IFLA_TXQLEN,
    IFLA_XDP,
    LinkMessage,
    number,
    text,
)

IFF_UP, IFF_NOARP, IFF_MULTICAST, IFF_LOWER_UP = 0x1, 0x80, 0x1000, 1 << 16  # linux/if.h

_FLAGS = {"arp": (IFF_NOARP, "off"), "multicast": (IFF_MULTICAST, "on")}  # and what a flag that is set means
_NUMBERS = {"txqueuelen": (IFLA_TXQLEN, "=I"), "carrier": (33, "=B")}  # IFLA_CARRIER
_XDP = {"xdpgeneric": (6, 2), "xdpdrv": (5, 4)}  # IFLA_XDP_SKB_PROG_ID and _DRV_PROG_ID, with XDP_FLAGS_*_MODE
_IFLA_XDP_FD, _IFLA_XDP_FLAGS, _NO_PROGRAM = 1, 3, -1
_SWITCH = {"off": 0, "on": 1}

_BRIDGE = {
    "stp_state": (5, "=I"),
    "vlan_filtering": (7, "=B"),
    "mcast_snooping": (23, "=B"),
}
"""IFLA_BR_*, and how each is packed."""

_PORT = {
    "state": 1,
    "hairpin": 4,
    "guard": 5,
    "learning": 8,
    "flood": 9,
    "mcast_flood": 27,
    "bcast_flood": 30,
    "neigh_suppress": 32,
    "isolated": 33,
    "locked": 39,
}
"""IFLA_BRPORT_*, each a byte."""


def of_link(link: LinkMessage) -> dict[str, str]:
    """Return the options of an interface, in the words of ip-link(8)."""
    found = {name: set_ if link.flags & flag else _other(set_) for name, (flag, set_) in _FLAGS.items()}
    found["txqueuelen"] = str(link.number(IFLA_TXQLEN))
    programs = link.nested(IFLA_XDP)
    found |= {word: "on" if number(programs, id_) else "off" for word, (id_, _) in _XDP.items()}
    found["carrier"] = "on" if link.flags & IFF_LOWER_UP else "off"
    info = link.nested(IFLA_LINKINFO)
    if text(info, IFLA_INFO_KIND) == "bridge":
        data = link.nested(IFLA_LINKINFO, IFLA_INFO_DATA)
        values = {name: number(data, attribute) for name, (attribute, _) in _BRIDGE.items()}
        found |= {f"type bridge {name}": str(value) for name, value in values.items() if value is not None}
    if text(info, IFLA_INFO_SLAVE_KIND) == "bridge":
        data = link.nested(IFLA_LINKINFO, IFLA_INFO_SLAVE_DATA)
        values = {name: number(data, attribute) for name, attribute in _PORT.items()}
        found |= {
            f"type bridge_slave {name}": _said(name, value) for name, value in values.items() if value is not None
        }
    return found


def _other(word: str) -> str:
    return "off" if word == "on" else "on"


def _said(name: str, value: int) -> str:
    return str(value) if name == "state" else "on" if value else "off"


def change(netlink: rt.Rtnetlink, index: int, option: str, value: str) -> None:
    """Set one option, in the words of ip-link(8). Raise Refused."""
    from labctl.kernel.requests import link

    *kind, name = option.removeprefix("type ").split()
    flags = mask = 0
    attribute = b""
    match kind:
        case ["bridge"]:
            which, layout = _BRIDGE[name]
            data = rt.attribute(which, struct.pack(layout, int(value)))
            attribute = _linkinfo(IFLA_INFO_KIND, IFLA_INFO_DATA, data)
        case ["bridge_slave"]:
            coded = int(value) if name == "state" else _SWITCH[value]
            data = rt.attribute(_PORT[name], struct.pack("=B", coded))
            attribute = _linkinfo(IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA, data)
        case _ if name in _FLAGS:
            mask, means = _FLAGS[name]
            flags = mask if value == means else 0
        case _ if name in _XDP:  # a program is only detached
            _, mode = _XDP[name]
            attribute = rt.attribute(
                IFLA_XDP,
                rt.attribute(_IFLA_XDP_FD, struct.pack("=i", _NO_PROGRAM))
                + rt.attribute(_IFLA_XDP_FLAGS, struct.pack("=I", mode)),
            )
        case _:
            which, layout = _NUMBERS[name]
            coded = _SWITCH[value] if value in _SWITCH else int(value)
            attribute = rt.attribute(which, struct.pack(layout, coded))
    netlink.request(rt.RTM_NEWLINK, link(index, flags=flags, change=mask) + attribute)


def _linkinfo(kind: int, data: int, value: bytes) -> bytes:
    return rt.attribute(IFLA_LINKINFO, rt.attribute(kind, b"bridge\0") + rt.attribute(data, value))
