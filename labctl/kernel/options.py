"""What `ip link set` sets of an interface, read from its message and written by another (linux/if_link.h)."""

from __future__ import annotations

import struct

from labctl.kernel import rtnetlink as rt
from labctl.kernel.link_message import (
    IFF_LOWER_UP,
    IFF_MULTICAST,
    IFF_NOARP,
    IFLA_CARRIER,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_INFO_SLAVE_DATA,
    IFLA_INFO_SLAVE_KIND,
    IFLA_LINKINFO,
    IFLA_TXQLEN,
    IFLA_XDP,
    LinkMessage,
    link,
)

_FLAGS = {"arp": (IFF_NOARP, "off"), "multicast": (IFF_MULTICAST, "on")}  # and what a flag that is set means
_NUMBERS = {"txqueuelen": (IFLA_TXQLEN, "=I"), "carrier": (IFLA_CARRIER, "=B")}
_XDP = {"xdpgeneric": (6, 2), "xdpdrv": (5, 4)}  # IFLA_XDP_*_PROG_ID and XDP_FLAGS_*_MODE
_IFLA_XDP_FD, _IFLA_XDP_FLAGS, _NO_PROGRAM = 1, 3, -1
_SWITCH = {"off": 0, "on": 1}

_BRIDGE = {"stp_state": (5, "=I"), "vlan_filtering": (7, "=B"), "mcast_snooping": (23, "=B")}
"""IFLA_BR_*, and how each is laid out."""
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
"""IFLA_BRPORT_*, of 8 bits each."""


def of_link(told: LinkMessage) -> dict[str, str]:
    """Return the options of an interface, in the words of ip-link(8)."""
    found = {name: set_ if told.flags & flag else _other(set_) for name, (flag, set_) in _FLAGS.items()}
    found["txqueuelen"] = str(told.attributes.number(IFLA_TXQLEN))
    programs = told.attributes.within(IFLA_XDP)
    found |= {word: "on" if programs.number(id_) else "off" for word, (id_, _) in _XDP.items()}
    found["carrier"] = "on" if told.flags & IFF_LOWER_UP else "off"
    if told.driver == "bridge":
        data = told.info.within(IFLA_INFO_DATA)
        values = {name: data.number(number) for name, (number, _) in _BRIDGE.items()}
        found |= {f"type bridge {name}": str(value) for name, value in values.items() if value is not None}
    if told.info.text(IFLA_INFO_SLAVE_KIND) == "bridge":
        data = told.info.within(IFLA_INFO_SLAVE_DATA)
        values = {name: data.number(number) for name, number in _PORT.items()}
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
    *kind, name = option.removeprefix("type ").split()
    flags = mask = 0
    attribute = b""
    match kind:
        case ["bridge"]:
            number, layout = _BRIDGE[name]
            attribute = _linkinfo(IFLA_INFO_KIND, IFLA_INFO_DATA, rt.attribute(number, struct.pack(layout, int(value))))
        case ["bridge_slave"]:
            coded = int(value) if name == "state" else _SWITCH[value]
            attribute = _linkinfo(
                IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA, rt.attribute(_PORT[name], struct.pack("=B", coded))
            )
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
            number, layout = _NUMBERS[name]
            coded = _SWITCH[value] if value in _SWITCH else int(value)
            attribute = rt.attribute(number, struct.pack(layout, coded))
    netlink.request(rt.RTM_NEWLINK, link(index, attribute, flags, mask))


def _linkinfo(kind: int, data: int, value: bytes) -> bytes:
    return rt.attribute(IFLA_LINKINFO, rt.text(kind, "bridge") + rt.attribute(data, value))
