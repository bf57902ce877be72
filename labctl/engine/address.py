"""Where one end of a tunnel is: an IP address and a UDP port.

Hosts are numeric on purpose. A name could resolve differently at each end, or only through the tunnel
that is about to be built.
"""

import ipaddress
import socket
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """A UDP address; raises ValueError for a host that is no IP address or a port outside 1..65535."""

    host: str
    port: int

    def __post_init__(self) -> None:
        ip = ipaddress.ip_address(self.host)
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
            raise ValueError(f"{self.host} is an IPv4 address in IPv6 clothes: write {ip.ipv4_mapped}")
        if not 1 <= self.port <= 65535:
            raise ValueError(f"{self.port} is no UDP port: it must be 1 to 65535")

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read `10.0.1.1:9000` or `[fd00::1]:9000`; raises ValueError."""
        host, colon, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if not colon or not (port.isascii() and port.isdigit()) or (":" in host) != bracketed:
            raise ValueError(f"{text!r} is not HOST:PORT (an IPv6 address goes in brackets: [fd00::1]:9000)")
        return cls(host[1:-1] if bracketed else host, int(port))

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET or AF_INET6."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def packed(self) -> bytes:
        """The host as it stands in an IP header: 4 or 16 bytes."""
        return ipaddress.ip_address(self.host).packed

    @property
    def is_wildcard(self) -> bool:
        """True for 0.0.0.0 and ::, which are places to listen but not to send to."""
        return ipaddress.ip_address(self.host).is_unspecified

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
