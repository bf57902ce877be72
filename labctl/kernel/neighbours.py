"""Neighbours: which link-layer address is behind an IP address, and which bridge port is behind that.

Both are tables of neighbour messages (linux/neighbour.h: ndmsg). An entry that the kernel learned goes by itself once
it is not confirmed; one that was made by hand stays, and is followed whether it is right or not.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Collection

from labctl.kernel import rtnetlink as rt
from labctl.plan.facts import Neighbour

_NDMSG = struct.Struct("=BxxxiHBB")  # family, ifindex, state, flags, type
_NDA_DST, _NDA_LLADDR, _NDA_MASTER = 1, 2, 9
_NTF_MASTER, _NTF_PROXY = 0x04, 0x08
_AF_BRIDGE = 7
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_PERMANENT = 0x80  # NUD_PERMANENT
_GROUP_BIT = 1  # of the first byte of a MAC address: multicast and broadcast (IEEE 802)
_STATES = {
    0x01: "incomplete", 0x02: "reachable", 0x04: "stale", 0x08: "delay", 0x10: "probe", 0x20: "failed", 0x40: "noarp",
    _PERMANENT: "permanent",
}  # fmt: skip
"""NUD_* in the words of ip-neighbour(8)."""

UNRESOLVED = ("incomplete", "failed")
"""Packets wait for an answer to ARP or neighbour discovery, or were dropped."""

RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30


def entries(netlink: rt.Rtnetlink) -> dict[int, list[Neighbour]]:
    """Return the neighbours that a namespace uses, proxied ones too, by index of the interface."""
    return {
        index: [neighbour for neighbour in found if neighbour.state not in UNRESOLVED]
        for index, found in seen(netlink).items()
    }


def seen(netlink: rt.Rtnetlink) -> dict[int, list[Neighbour]]:
    """Return the neighbours of a namespace in every state, proxied ones too, by index of the interface.

    What the kernel makes up itself for a multicast or broadcast address is left out.
    """
    found: dict[int, list[Neighbour]] = {}
    for flags in (0, _NTF_PROXY):
        for message in netlink.messages(RTM_GETNEIGH, _NDMSG.pack(socket.AF_UNSPEC, 0, 0, flags, 0)):
            if one := told(message):
                found.setdefault(one[0], []).append(one[1])
    return found


def told(message: bytes) -> tuple[int, Neighbour] | None:
    """Return the neighbour that a message tells of, and the index of its interface; None where it is left out."""
    family, index, state, flags, _ = _NDMSG.unpack_from(message)
    attributes = rt.attributes(message[_NDMSG.size :])
    lladdr = attributes.get(_NDA_LLADDR, b"")
    word = "proxy" if flags & _NTF_PROXY else _STATES.get(state)
    if family not in _FAMILIES or not word or (lladdr and lladdr[0] & _GROUP_BIT):
        return None
    return index, Neighbour(str(ipaddress.ip_address(attributes[_NDA_DST])), lladdr.hex(":"), word)


def unresolved(netlink: rt.Rtnetlink, address: str) -> set[int]:
    """Return the interfaces, by index, on which an address was asked for and has not answered."""
    wanted = str(ipaddress.ip_address(address))
    return {
        index
        for index, found in seen(netlink).items()
        if any(neighbour.state in UNRESOLVED and neighbour.to == wanted for neighbour in found)
    }


def static_forwarding(netlink: rt.Rtnetlink, own: Collection[str]) -> dict[int, list[str]]:
    """Return the MAC addresses that a bridge was told to have behind a port, by index of the port.

    `own` are the addresses of the namespace's own interfaces: for these the kernel makes such entries by itself.
    """
    found: dict[int, list[str]] = {}
    for message in netlink.messages(RTM_GETNEIGH, _NDMSG.pack(_AF_BRIDGE, 0, 0, 0, 0)):
        _, index, state, _, _ = _NDMSG.unpack_from(message)
        attributes = rt.attributes(message[_NDMSG.size :])
        mac = attributes.get(_NDA_LLADDR, b"").hex(":")
        if _NDA_MASTER in attributes and _STATES.get(state) in ("noarp", "permanent") and mac not in own:
            found.setdefault(index, []).append(mac)
    return found


def add(netlink: rt.Rtnetlink, index: int, neighbour: Neighbour) -> None:
    """Make an entry that stays, in place of any other for its address. Raise Refused."""
    lladdr = rt.attribute(_NDA_LLADDR, bytes.fromhex(neighbour.lladdr.replace(":", ""))) if neighbour.lladdr else b""
    netlink.request(RTM_NEWNEIGH, _entry(index, neighbour, _PERMANENT) + lladdr, rt.NLM_F_CREATE | rt.NLM_F_REPLACE)


def forget(netlink: rt.Rtnetlink, index: int, neighbour: Neighbour) -> None:
    """Delete a neighbour. Raise Refused."""
    netlink.request(RTM_DELNEIGH, _entry(index, neighbour))


def _entry(index: int, neighbour: Neighbour, state: int = 0) -> bytes:
    address = ipaddress.ip_address(neighbour.to)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    flags = _NTF_PROXY if neighbour.state == "proxy" else 0
    return _NDMSG.pack(family, index, state, flags, 0) + rt.attribute(_NDA_DST, address.packed)


def forget_forwarding(netlink: rt.Rtnetlink, index: int, mac: str) -> None:
    """Delete an entry of a bridge from its port. Raise Refused."""
    lladdr = rt.attribute(_NDA_LLADDR, bytes.fromhex(mac.replace(":", "")))
    netlink.request(RTM_DELNEIGH, _NDMSG.pack(_AF_BRIDGE, index, 0, _NTF_MASTER, 0) + lladdr)
