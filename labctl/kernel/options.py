"""What `ip link set` sets of an interface, read from its message and written by another (linux/if_link.h)."""

from __future__ import annotations

import struct
from typing import Any

from labctl.kernel import rtnetlink as rt

IFF_UP, IFF_NOARP, IFF_MULTICAST, IFF_LOWER_UP = 0x1, 0x80, 0x1000, 1 << 16  # linux/if.h

_FLAGS = {"arp": (IFF_NOARP, "off"), "multicast": (IFF_MULTICAST, "on")}  # and what a flag that is set means
_NUMBERS = {"txqueuelen": (13, "=I"), "carrier": (33, "=B")}  # IFLA_TXQLEN, IFLA_CARRIER
_XDP = {"xdpgeneric": ("IFLA_XDP_SKB_PROG_ID", 2), "xdpdrv": ("IFLA_XDP_DRV_PROG_ID", 4)}  # and XDP_FLAGS_*_MODE
_IFLA_XDP, _IFLA_XDP_FD, _IFLA_XDP_FLAGS, _NO_PROGRAM = 43, 1, 3, -1
_SWITCH = {"off": 0, "on": 1}

_IFLA_LINKINFO, _KIND, _DATA, _SLAVE_KIND, _SLAVE_DATA = 18, 1, 2, 4, 5
_BRIDGE = {
    "stp_state": ("IFLA_BR_STP_STATE", 5, "=I"),
    "vlan_filtering": ("IFLA_BR_VLAN_FILTERING", 7, "=B"),
    "mcast_snooping": ("IFLA_BR_MCAST_SNOOPING", 23, "=B"),
}
_PORT = {
    "state": ("IFLA_BRPORT_STATE", 1),
    "hairpin": ("IFLA_BRPORT_MODE", 4),
    "guard": ("IFLA_BRPORT_GUARD", 5),
    "learning": ("IFLA_BRPORT_LEARNING", 8),
    "flood": ("IFLA_BRPORT_UNICAST_FLOOD", 9),
    "mcast_flood": ("IFLA_BRPORT_MCAST_FLOOD", 27),
    "bcast_flood": ("IFLA_BRPORT_BCAST_FLOOD", 30),
    "neigh_suppress": ("IFLA_BRPORT_NEIGH_SUPPRESS", 32),
    "isolated": ("IFLA_BRPORT_ISOLATED", 33),
    "locked": ("IFLA_BRPORT_LOCKED", 39),
}


def of_link(link: Any) -> dict[str, str]:
    """Return the options of an interface, in the words of ip-link(8)."""
    found = {name: set_ if link["flags"] & flag else _other(set_) for name, (flag, set_) in _FLAGS.items()}
    found["txqueuelen"] = str(link.get_attr("IFLA_TXQLEN"))
    programs = link.get_attr("IFLA_XDP")
    found |= {word: "on" if programs and programs.get_attr(id_) else "off" for word, (id_, _) in _XDP.items()}
    found["carrier"] = "on" if link["flags"] & IFF_LOWER_UP else "off"
    info = link.get_attr("IFLA_LINKINFO")
    if info and info.get_attr("IFLA_INFO_KIND") == "bridge":
        data = info.get_attr("IFLA_INFO_DATA")
        values = {name: data.get_attr(attribute) for name, (attribute, _, _) in _BRIDGE.items()}
        found |= {f"type bridge {name}": str(value) for name, value in values.items() if value is not None}
    if info and info.get_attr("IFLA_INFO_SLAVE_KIND") == "bridge":
        data = info.get_attr("IFLA_INFO_SLAVE_DATA")
        values = {name: data.get_attr(attribute) for name, (attribute, _) in _PORT.items()}
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
            _, number, layout = _BRIDGE[name]
            attribute = _linkinfo(_KIND, _DATA, rt.attribute(number, struct.pack(layout, int(value))))
        case ["bridge_slave"]:
            _, number = _PORT[name]
            coded = int(value) if name == "state" else _SWITCH[value]
            attribute = _linkinfo(_SLAVE_KIND, _SLAVE_DATA, rt.attribute(number, struct.pack("=B", coded)))
        case _ if name in _FLAGS:
            mask, means = _FLAGS[name]
            flags = mask if value == means else 0
        case _ if name in _XDP:  # a program is only detached
            _, mode = _XDP[name]
            attribute = rt.attribute(
                _IFLA_XDP,
                rt.attribute(_IFLA_XDP_FD, struct.pack("=i", _NO_PROGRAM))
                + rt.attribute(_IFLA_XDP_FLAGS, struct.pack("=I", mode)),
            )
        case _:
            number, layout = _NUMBERS[name]
            coded = _SWITCH[value] if value in _SWITCH else int(value)
            attribute = rt.attribute(number, struct.pack(layout, coded))
    netlink.request(rt.RTM_NEWLINK, rt.link(index, flags=flags, change=mask) + attribute)


def _linkinfo(kind: int, data: int, value: bytes) -> bytes:
    return rt.attribute(_IFLA_LINKINFO, rt.attribute(kind, b"bridge\0") + rt.attribute(data, value))
