"""The addresses of interfaces over rtnetlink (linux/if_addr.h), with what makes one unusable yet or no more."""

from __future__ import annotations

import ipaddress
import socket
import struct

from labctl.frozen import frozen
from labctl.kernel import rtnetlink as rt
from labctl.kernel.routes import SCOPES

_IFADDRMSG = struct.Struct("=4BI")  # family, prefix length, flags, scope, index
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST, _IFA_FLAGS = 1, 2, 4, 8
_PERMANENT = 0x80
_OF_A_MAC = slice(11, 13), b"\xff\xfe"  # amidst an interface identifier made of a MAC (RFC 4291, appendix A)

_FLAGS = {
    0x02: "nodad",
    0x04: "optimistic",
    0x08: "dadfailed",
    0x10: "home",
    0x20: "deprecated",
    0x40: "tentative",
    0x100: "mngtmpaddr",
    0x200: "noprefixroute",
    0x400: "autojoin",
    0x800: "stable-privacy",
}
"""IFA_F_* in the words of ip-address(8)."""

_SECONDARY = {socket.AF_INET: "secondary", socket.AF_INET6: "temporary"}  # one bit


@frozen
class Address:
    """An address of an interface; `flags` are words of ip-address(8), such as tentative, dadfailed and deprecated."""

    host: str
    prefix_length: int
    flags: frozenset[str] = frozenset()
    scope: str = "global"  # how far it is valid: global, link, host
    peer: str = ""  # of a point-to-point address: the other end, which the prefix length then is of
    broadcast: str = ""

    @property
    def by_itself(self) -> bool:
        """Whether the kernel has made it by itself, of the MAC or at random: a link-local one of IPv6 (addrconf.c)."""
        own = ipaddress.ip_address(self.host)
        where, what = _OF_A_MAC
        of_a_link = own.version == 6 and own.is_link_local
        return of_a_link and ("stable-privacy" in self.flags or own.packed[where] == what)

    def __str__(self) -> str:
        """As a file writes it, or as ip(8) does where it has a peer, which no file can write."""
        return (
            f"{self.host} peer {self.peer}/{self.prefix_length}" if self.peer else f"{self.host}/{self.prefix_length}"
        )


def addresses(netlink: rt.Rtnetlink) -> dict[int, list[Address]]:
    """Return the addresses of a namespace in the kernel's order, by index of the interface."""
    found: dict[int, list[Address]] = {}
    for message in netlink.messages(rt.RTM_GETADDR, _IFADDRMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
        index, address = told(message)
        found.setdefault(index, []).append(address)
    return found


def told(message: bytes) -> tuple[int, Address]:
    """Return the address that a message tells of, and the index of its interface."""
    *_, index = _IFADDRMSG.unpack_from(message)
    return index, _read(message)


def _read(message: bytes) -> Address:
    family, length, old_flags, scope, _ = _IFADDRMSG.unpack_from(message)
    told = rt.attributes(message[_IFADDRMSG.size :])
    (flags,) = struct.unpack("=I", told[_IFA_FLAGS]) if _IFA_FLAGS in told else (old_flags,)
    words = {word for bit, word in _FLAGS.items() if flags & bit}
    words |= {_SECONDARY[family]} if flags & 1 else set()
    words |= set() if flags & _PERMANENT else {"dynamic"}
    own, other = told.get(_IFA_LOCAL, told[_IFA_ADDRESS]), told[_IFA_ADDRESS]
    broadcast = told.get(_IFA_BROADCAST)
    return Address(
        str(ipaddress.ip_address(own)),
        length,
        frozenset(words),
        SCOPES.get(scope, str(scope)),
        str(ipaddress.ip_address(other)) if own != other else "",
        str(ipaddress.ip_address(broadcast)) if broadcast else "",
    )
