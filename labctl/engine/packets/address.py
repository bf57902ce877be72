"""Where one end of a tunnel is: an IP address and a UDP port.

Hosts are numeric on purpose. A name could resolve differently at each end, or only through the tunnel
that is about to be built.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

_BROADCAST = ipaddress.IPv4Address("255.255.255.255")

Host = ipaddress.IPv4Address | ipaddress.IPv6Address


def host_of(text: str) -> Host:
    """Return the IP address that this text is. Raise ValueError if it is none.

    An IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2) is refused: a socket takes it for IPv4, all else for IPv6.
    """
    try:
        host = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is no IP address") from None
    if isinstance(host, ipaddress.IPv6Address) and host.ipv4_mapped:
        raise ValueError(f"{text!r} is an IPv4 address in the form of IPv6: write {host.ipv4_mapped}")
    return host


@dataclass(frozen=True, slots=True)
class Address:
    """A UDP address. Raise ValueError for a host that is no IP address or a port outside 1..65535."""

    host: str
    port: int

    def __post_init__(self) -> None:
        host_of(self.host)
        if not 1 <= self.port <= 65535:
            raise ValueError(f"{self.port} is no UDP port: it must be 1 to 65535")

    @classmethod
    def parse(cls, text: str) -> Address:
        """Return the address that `10.0.1.1:9000` or `[fd00::1]:9000` is. Raise ValueError if the text is none."""
        host, colon, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if not colon or not (port.isascii() and port.isdigit()) or (":" in host) != bracketed:
            raise ValueError(f"{text!r} is not HOST:PORT (an IPv6 address goes in brackets: [fd00::1]:9000)")
        return cls(host[1:-1] if bracketed else host, int(port))

    @property
    def version(self) -> int:
        """The IP version, 4 or 6."""
        return 6 if ":" in self.host else 4

    @property
    def packed(self) -> bytes:
        """The host as it stands in an IP header: 4 or 16 bytes."""
        return ipaddress.ip_address(self.host).packed

    @property
    def is_wildcard(self) -> bool:
        """Whether this is 0.0.0.0 or ::, which a socket can be bound to, but not connected."""
        return ipaddress.ip_address(self.host).is_unspecified

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def check_bind(bind: Address) -> None:
    """Raise ValueError for an address that could be on more than one interface (RFC 4007)."""
    _check_zone(bind)


def check_peer(bind: Address, peer: Address) -> None:
    """Raise ValueError if no datagram can go from the one to the other, on any hosts."""
    host = ipaddress.ip_address(peer.host)
    if bind.version != peer.version:
        raise ValueError(f"{bind} and {peer} are of different IP versions")
    if bind == peer:
        raise ValueError(f"{bind} would be its own peer")
    if host.is_unspecified or host.is_multicast or host == _BROADCAST:
        raise ValueError(f"{peer.host} is not the address of one host")
    _check_zone(peer)


def _check_zone(address: Address) -> None:
    host = ipaddress.ip_address(address.host)
    if isinstance(host, ipaddress.IPv6Address) and host.is_link_local and not host.scope_id:
        raise ValueError(f"the link-local address {host} could be on any interface")
