"""Frames as headers: Ethernet and VLAN tags, ARP, IPv4 and IPv6 with extension headers, UDP, TCP, ICMP, and inside.

Every sequence of bytes is read as far as it is a header of that kind; what cannot be read stays bytes. An ICMP error
quotes the beginning of the packet that it is about, and that is read, too (RFC 792, RFC 4443 2.4 c). The UDP of a
tunnel carries packets: one, or in a superframe that the kernel has not cut yet many, one behind another. A tunnel of
the kernel carries one (encapsulation).
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Set
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from labctl.engine.packets import ip
from labctl.engine.packets.describe import ICMP, ICMP_TYPES, ICMPV6, ICMPV6_TYPES, PROTOCOLS, TCP_FLAGS
from labctl.trace import encapsulation
from labctl.trace.encapsulation import ARP, IPV4, IPV6

_IPV4_ERRORS = {3, 4, 5, 11, 12}  # RFC 1122 3.2.2
_ECHO = {ICMP: (8, 0), ICMPV6: (128, 129)}  # request, reply
NEIGHBOUR = (135, 136)  # solicitation, advertisement (RFC 4861 4.3, 4.4)
_UDP_HEADER, _TCP_HEADER, _ICMP_HEADER = 8, 20, 8
_DEEPEST = 8  # packets in packets that are read: the kernel sends no more (net/core/dev.h, XMIT_RECURSION_LIMIT)


@dataclass(frozen=True, slots=True)
class Arp:
    """An ARP message for IPv4 over Ethernet (RFC 826)."""

    is_request: bool
    sender_mac: str
    sender: str
    target_mac: str
    target: str

    @property
    def words(self) -> str:
        """What it asks or answers."""
        if self.is_request:
            return f"ARP who has {self.target}? tell {self.sender}"
        return f"ARP {self.sender} is at {self.sender_mac}"


@dataclass(frozen=True, slots=True)
class Udp:
    """The header of a datagram (RFC 768)."""

    ports: tuple[int, int]  # source, destination
    length: int  # in bytes, with this header


@dataclass(frozen=True, slots=True)
class Tcp:
    """The header of a segment (RFC 9293)."""

    ports: tuple[int, int]
    sequence: int
    acknowledged: int
    flags: tuple[str, ...]  # as describe.TCP_FLAGS names and orders them
    window: int


@dataclass(frozen=True, slots=True)
class Icmp:
    """A message of ICMP or ICMPv6.

    `echo` is identifier and sequence number, `mtu` that of "too big", `target` whom neighbour discovery is about.
    """

    kind: int
    code: int
    name: str
    echo: tuple[int, int] | None = None
    mtu: int | None = None
    target: str = ""
    is_error: bool = False

    @property
    def is_echo_request(self) -> bool:
        """Whether it asks for an echo (RFC 792, RFC 4443 4.1)."""
        return self.kind in (8, 128)


@dataclass(frozen=True, slots=True)
class Packet:
    """An IP packet. `quoted` is the one that an ICMP error is about, `inside` are those that a tunnel's UDP carries."""

    version: int
    source: str
    destination: str
    protocol: int
    ttl: int
    identification: int  # of IPv4, or of the fragment header of IPv6; else 0
    dont_fragment: bool
    fragment_at: int
    more_fragments: bool
    length: int  # in bytes, as the header states it; of a superframe all of it
    transport: Udp | Tcp | Icmp | None  # None also where it is cut off, and in a fragment but the first
    payload: bytes  # behind the transport header, or behind the IP header where that could not be read; may be cut off
    payload_length: int  # in bytes, of all of it
    quoted: Packet | None = None
    inside: tuple[Packet, ...] = ()

    @property
    def ports(self) -> tuple[int, int] | None:
        """Return the ports of source and destination, None where it has none."""
        return self.transport.ports if isinstance(self.transport, Udp | Tcp) else None

    @property
    def echo(self) -> tuple[int, int] | None:
        """Return identifier and sequence number of an ICMP echo request or reply, None where it is none."""
        return self.transport.echo if isinstance(self.transport, Icmp) else None

    @property
    def is_fragment(self) -> bool:
        """Return whether it is a part of a packet."""
        return bool(self.fragment_at or self.more_fragments)

    @property
    def layers(self) -> tuple[Packet, ...]:
        """Return the packet and what it carries, the outermost first, always the first of several."""
        return (self, *(self.inside[0].layers if self.inside else ()))

    @property
    def protocol_name(self) -> str:
        """Return the name of what it carries."""
        return PROTOCOLS.get(self.protocol, f"protocol {self.protocol}")


@dataclass(frozen=True, slots=True)
class Frame:
    """What crossed an interface. MAC addresses are empty where there is no Ethernet header."""

    source_mac: str
    destination_mac: str
    vlans: tuple[int, ...]  # the VLAN of each tag, the outermost first
    protocol: int  # an EtherType, also where there is no Ethernet header
    content: Packet | Arp | None
    data: bytes  # behind the link-layer header

    @property
    def packet(self) -> Packet | None:
        """Return the IP packet that it carries, None where it carries another thing."""
        return self.content if isinstance(self.content, Packet) else None


def frame(data: bytes, ethernet: bool, tunnel_ports: Set[int] = frozenset()) -> Frame:
    """Return what a frame says. The UDP of these ports is taken for that of tunnels where it carries IP packets."""
    if ethernet:
        vlans, protocol, at = encapsulation.ethernet(data)
        source, destination = mac(data[6:12]), mac(data[:6])
    else:
        vlans, at, source, destination = (), 0, "", ""
        protocol = {4: IPV4, 6: IPV6}.get(data[0] >> 4 if data else 0, 0)
    inner = data[at:]
    content: Packet | Arp | None = None
    if protocol in (IPV4, IPV6):
        content = packet(inner, tunnel_ports)
    elif protocol == ARP:
        content = arp(inner)
    return Frame(source, destination, vlans, protocol, content, inner)


def packet(data: bytes, tunnel_ports: Set[int] = frozenset(), depth: int = 0) -> Packet | None:
    """Return the IP packet that begins here, which may be cut off or followed by padding; None if none begins here.

    `depth` is in how many others it is.
    """
    stated = ip.stated_length(data)
    if stated is None or depth > _DEEPEST:
        return None
    version = data[0] >> 4
    # A superframe of more than 64 KB states no length (BIG TCP: include/net/ipv6.h).
    length = stated if stated > (0 if version == 4 else ip.IPV6_HEADER) else len(data)
    data = data[:length]
    header = ip.header_of(data)
    identification, dont_fragment = _identification(data, header)
    transport, at = (None, header.payload_at) if header.fragment_at else _transport(data, header)
    quoted = packet(data[at:], depth=depth + 1) if isinstance(transport, Icmp) and transport.is_error else None
    is_cut = len(data) < length or header.more_fragments
    ports = transport.ports if isinstance(transport, Udp) else None
    if ports and not tunnel_ports.isdisjoint(ports):
        parts = _parts(data[at:], is_cut)
    else:
        parts = [] if header.fragment_at else [encapsulation.carried(header.protocol, ports, data[at:])]
    inside = (packet(part, tunnel_ports, depth + 1) for part in parts if part)
    return Packet(
        version,
        _address(header.source),
        _address(header.destination),
        header.protocol,
        data[8] if version == 4 else data[7],
        identification,
        dont_fragment,
        header.fragment_at,
        header.more_fragments,
        length,
        transport,
        data[at:],
        length - at,
        quoted,
        tuple(inner for inner in inside if inner),
    )


@lru_cache(4096)
def _address(data: bytes) -> str:
    return str(ipaddress.ip_address(data))


def arp(data: bytes) -> Arp | None:
    """Return an ARP message, None where it is not one for IPv4 over Ethernet."""
    if len(data) < 28 or data[:6] != b"\0\1\x08\0\x06\x04":
        return None
    sender, target = (str(ipaddress.IPv4Address(data[at : at + 4])) for at in (14, 24))
    return Arp(data[6:8] == b"\0\1", mac(data[8:14]), sender, mac(data[18:24]), target)


def mac(data: bytes) -> str:
    """Return a link-layer address as ip-link(8) writes it."""
    return data.hex(":")


def _identification(data: bytes, header: ip.Header) -> tuple[int, bool]:
    """Return the identification of a packet, and whether it must not be fragmented."""
    if data[0] >> 4 == 4:
        return int.from_bytes(data[4:6]), bool(data[6] & 0x40)
    if not (header.fragment_at or header.more_fragments):
        return 0, True
    at = ip.IPV6_HEADER
    kind = data[6]
    while kind != ip.FRAGMENT:  # it is there: it has been read
        kind, at = (
            data[at],
            at + (data[at + 1] + (2 if kind == ip.AUTHENTICATION else 1)) * (4 if kind == ip.AUTHENTICATION else 8),
        )
    return int.from_bytes(data[at + 4 : at + 8]), True


def _transport(data: bytes, header: ip.Header) -> tuple[Udp | Tcp | Icmp | None, int]:
    """Return the transport header, None where there is none that can be read, and where its payload begins."""
    at = header.payload_at
    left = len(data) - at
    if header.protocol == ip.UDP and left >= _UDP_HEADER:
        source, destination, length = struct.unpack_from("!HHH", data, at)
        return Udp((source, destination), length), at + _UDP_HEADER
    if header.protocol == ip.TCP and left >= _TCP_HEADER:
        source, destination, sequence, acknowledged, offset, flags, window = struct.unpack_from("!HHIIBBH", data, at)
        names = tuple(name for bit, name in TCP_FLAGS if flags & bit)
        behind = at + max(_TCP_HEADER, (offset >> 4) * 4)
        return Tcp((source, destination), sequence, acknowledged, names, window), min(behind, len(data))
    if header.protocol in (ICMP, ICMPV6) and left >= _ICMP_HEADER:
        return _icmp(data[at:], header.protocol), at + _ICMP_HEADER
    return None, at


def _icmp(data: bytes, protocol: int) -> Icmp:
    kind, code, _, first, second = struct.unpack_from("!BBHHH", data)
    names = ICMP_TYPES if protocol == ICMP else ICMPV6_TYPES
    name = names.get(kind, f"type {kind}")
    if kind in _ECHO[protocol]:
        return Icmp(kind, code, name, echo=(first, second))
    if protocol == ICMPV6 and kind in NEIGHBOUR and len(data) >= _ICMP_HEADER + 16:
        return Icmp(kind, code, name, target=str(ipaddress.IPv6Address(data[_ICMP_HEADER : _ICMP_HEADER + 16])))
    is_error = kind in _IPV4_ERRORS if protocol == ICMP else kind < 128
    mtu = None
    if protocol == ICMP and (kind, code) == (3, 4):
        mtu = second
    elif protocol == ICMPV6 and kind == 2:
        mtu = first << 16 | second
    return Icmp(kind, code, name, mtu=mtu, is_error=is_error)


def _parts(payload: bytes, is_cut: bool) -> list[bytes]:
    """Return the packets that the datagrams of a tunnel carry; none where it is not exactly packets.

    Where the payload is cut off, by a fragment, a quotation or a capture, the last of them may be, too.
    """
    bounds = [0]
    while bounds[-1] < len(payload):
        length = ip.stated_length(payload[bounds[-1] :])
        if not length:
            return []
        bounds.append(bounds[-1] + length)
    return [payload[begin:end] for begin, end in pairwise(bounds)] if bounds[-1] == len(payload) or is_cut else []
