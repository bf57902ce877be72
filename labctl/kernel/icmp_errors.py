"""What ICMP tells a socket of packets that it has sent: which error, and who says so (ip(7), ipv6(7): IP_RECVERR)."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from labctl.topology.values import Host

_RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
_EXTENDED_ERROR = struct.Struct("=IBBBxII")  # struct sock_extended_err: errno, origin, type, code, info, data
_ORIGINS = {1: "local", 2: "icmp", 3: "icmp6"}  # SO_EE_ORIGIN_*
_SOCKADDR = {4: slice(4, 8), 6: slice(8, 24)}  # where the address is, by IP version
_FRAGMENTATION_NEEDED, _PACKET_TOO_BIG = (3, 4), (2, 0)  # RFC 1191, RFC 4443
_SPACE = 512

_WORDS = {
    ("icmp", 3): "destination unreachable",
    ("icmp", 11): "time exceeded",
    ("icmp", 12): "parameter problem",
    ("icmp6", 1): "destination unreachable",
    ("icmp6", 2): "packet too big",
    ("icmp6", 3): "time exceeded",
    ("icmp6", 4): "parameter problem",
}
_UNREACHABLE = {
    "icmp": (
        "net", "host", "protocol", "port", "fragmentation needed", "source route failed", "net unknown",
        "host unknown", "source host isolated", "net prohibited", "host prohibited", "net for this TOS",
        "host for this TOS", "communication prohibited",
    ),
    "icmp6": ("no route", "communication prohibited", "beyond scope", "address", "port", "policy", "reject route"),
}  # fmt: skip
"""The codes of `destination unreachable` (RFC 792, RFC 1812, RFC 4443)."""


@dataclass(frozen=True)
class IcmpError:
    """An error: its errno, whether it is `local`, of `icmp` or of `icmp6`, with type and code, and who sent it.

    The MTU is the one that the next part of the way has, where the error says it.
    """

    errno: int
    origin: str
    type: int
    code: int
    sender: Host | None
    to: Host | None
    mtu: int | None

    @property
    def words(self) -> str:
        """The error in words; empty for one that is not of ICMP."""
        what = _WORDS.get((self.origin, self.type), f"{self.origin} type {self.type}")
        if self.origin == "local":
            return ""
        if what == "destination unreachable":
            codes = _UNREACHABLE[self.origin]
            what += f": {codes[self.code] if self.code < len(codes) else f'code {self.code}'}"
        return f"{what} (MTU {self.mtu})" if self.mtu else what


def ask_for_errors(sender: socket.socket) -> None:
    """Have a socket keep the errors that come back. Until then, only one that is connected is told."""
    level, option = _RECVERR[sender.family]
    sender.setsockopt(level, option, 1)


def errors(sender: socket.socket) -> Iterator[IcmpError]:
    """Yield the errors that have come back to a socket, and forget them."""
    kind = _RECVERR[sender.family]
    while True:
        try:
            _, ancillary, _, to = sender.recvmsg(0, _SPACE, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        yield from (_read(data, to) for level, option, data in ancillary if (level, option) == kind)


def _read(data: bytes, to: object) -> IcmpError:
    number, origin, kind, code, info, _ = _EXTENDED_ERROR.unpack_from(data)
    word = _ORIGINS.get(origin, str(origin))
    told = (word, (kind, code)) in (("icmp", _FRAGMENTATION_NEEDED), ("icmp6", _PACKET_TOO_BIG))
    return IcmpError(
        number,
        word,
        kind,
        code,
        _host(data[_EXTENDED_ERROR.size :]) if word != "local" else None,
        ipaddress.ip_address(to[0].partition("%")[0]) if isinstance(to, tuple) and to else None,
        info if told or word == "local" else None,
    )


def _host(address: bytes) -> Host | None:
    """Return the host of a struct sockaddr (ip(7), ipv6(7))."""
    (family,) = struct.unpack_from("=H", address)
    version = {socket.AF_INET: 4, socket.AF_INET6: 6}.get(family)
    return ipaddress.ip_address(address[_SOCKADDR[version]]) if version else None
