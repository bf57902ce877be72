"""Addresses, networks and ports, and what an interface has of its own beside them: a MAC address and an MTU."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, NamedTuple

from labctl.engine.packets.address import host_of
from labctl.topology.values.text import as_text, is_whole, mistake, shape

Host = ipaddress.IPv4Address | ipaddress.IPv6Address
Prefix = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


class SocketAddress(NamedTuple):
    """Where a UDP socket is bound or sends to: ADDRESS:PORT, an IPv6 address in brackets (RFC 3986)."""

    host: Host
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.host.version == 6 else f"{self.host}:{self.port}"


def parse_socket_address(value: Any) -> SocketAddress:
    """Return an address that is written ADDRESS:PORT, an IPv6 address in brackets."""
    if isinstance(value, SocketAddress):
        return value
    text = as_text(value, "ADDRESS:PORT")
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise mistake(f"{text!r} is no ADDRESS:PORT", "for example 10.0.1.1:9000 or [fd00::1]:9000")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise mistake(f"{text!r} does not say where the address ends", f"write [{host.strip('[]')}]:{port}")
    return SocketAddress(parse_host(host.removeprefix("[").removesuffix("]")), parse_port(port))


def parse_port(value: Any) -> int:
    """Return a port, 1 to 65535."""
    text = as_text(value, "a port")
    if not is_whole(text) or not 1 <= int(text) <= 65535:
        raise mistake(f"{text!r} is no port", "a port is a whole number from 1 to 65535")
    return int(text)


def parse_host(value: Any) -> Host:
    """Return an address without prefix length or zone."""
    if isinstance(value, Host):
        return value
    text = as_text(value, "an IP address")
    try:
        host = host_of(text)
    except ValueError as error:
        hint = "leave the prefix length out here" if "/" in text else "for example 10.0.1.1 or fd00::1"
        raise mistake(str(error), hint) from None
    if getattr(host, "scope_id", None):
        raise mistake(f"{text!r} carries a zone", "write the address without %INTERFACE")
    return host


def parse_prefix(value: Any) -> Prefix:
    """Return a unicast address with its prefix length."""
    if isinstance(value, Prefix):
        return value
    text = as_text(value, "an address with its prefix length")
    address, slash, length = text.partition("/")
    host = parse_host(address)
    longest = 32 if host.version == 4 else 128
    if not slash:
        usual = 24 if host.version == 4 else 64
        raise mistake(f"{text!r} lacks its prefix length", f"for example {text}/{usual}")
    if not is_whole(length) or int(length) > longest:
        raise mistake(
            f"{length!r} is no prefix length of an IPv{host.version} address", f"a whole number from 0 to {longest}"
        )
    if host.is_unspecified or host.is_multicast:
        raise mistake(f"{address!r} cannot be given to an interface", "use a unicast address")
    return ipaddress.ip_interface(text)


def parse_network(value: Any) -> Network:
    """Return a network that has no bits set behind its prefix length."""
    if isinstance(value, Network):
        return value
    text = as_text(value, "a network")
    if text == "default":
        raise mistake("'default' does not say of which IP version", "write 0.0.0.0/0 or ::/0")
    try:
        loose = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise mistake(f"{text!r} is no network", "for example 10.0.2.0/24, fd00:2::/64 or default") from None
    parse_host(text.partition("/")[0])
    if str(loose.network_address) != str(ipaddress.ip_interface(text).ip):
        raise mistake(f"{text!r} has bits set behind its prefix length", f"the network is {loose}")
    return loose


def parse_mac(value: Any) -> str:
    """Return a unicast MAC address in lower case."""
    text = as_text(value, "a MAC address").lower()
    if not _MAC.fullmatch(text):
        raise mistake(f"{text!r} is no MAC address", "for example 02:00:00:00:00:01")
    if int(text[:2], 16) & 1:
        raise mistake(f"{text!r} is a group address", "the first byte of an interface's own MAC is even")
    if text == "00:00:00:00:00:00":
        raise mistake(f"{text!r} is not a valid MAC for an interface", "for example 02:00:00:00:00:01")
    return text


def parse_mtu(value: Any) -> int:
    """Return an MTU in bytes."""
    if isinstance(value, bool) or not isinstance(value, int) or not 68 <= value <= 65535:
        raise mistake(f"{shape(value)} is no MTU", "a whole number of bytes from 68 (RFC 791) to 65535")
    return value
