"""What nft(8) calls the parts of a packet, and what is known beside it, and how it writes their values.

A part of a packet is known by the header, the first byte and the number of bytes (linux/netfilter/nf_tables.h:
NFTA_PAYLOAD_*), as libnftables has them (nftables, src/proto.c, src/meta.c, src/ct.c).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import IntEnum

from labctl.frozen import frozen

Show = Callable[[bytes], str]


class Base(IntEnum):
    """The headers of a packet (NFT_PAYLOAD_*)."""

    LINK = 0
    NETWORK = 1
    TRANSPORT = 2


@frozen
class Field:
    """A part of a packet or what is known of it: its words, its size in bytes, and how a value of it is written.

    A value is in network byte order when it is written; where the kernel has it `in_host_order` it is turned before.
    `bits` are the names of its bits, where it is a set of flags.
    """

    words: str
    size: int
    show: Show
    bits: Mapping[int, str] | None = None
    is_address: bool = False
    in_host_order: bool = False


def number(value: bytes) -> str:
    return str(int.from_bytes(value))


def raw(value: bytes) -> str:
    return hex(int.from_bytes(value))


def mark(value: bytes) -> str:
    return f"{int.from_bytes(value):#010x}"


def address(value: bytes) -> str:
    return str(ipaddress.ip_address(value))


def mac(value: bytes) -> str:
    return value.hex(":")


def interface(value: bytes) -> str:
    """Return the name of an interface; one that is cut off stands for all that begin with it."""
    name = value.rstrip(b"\0").decode(errors="replace")
    return f'"{name}"' if value.endswith(b"\0") else f'"{name}*"'


def one_of(names: Mapping[int, str]) -> Show:
    """Return how a number is written that has names; by itself where it has none."""

    def show(value: bytes) -> str:
        found = int.from_bytes(value)
        return names.get(found, str(found))

    return show


def of_host(words: str, size: int, show: Show, bits: Mapping[int, str] | None = None) -> Field:
    """Return a field whose numbers the kernel has in the byte order of the machine."""
    return Field(words, size, show, bits, in_host_order=True)


PROTOCOLS = {
    1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 33: "dccp", 47: "gre", 50: "esp", 51: "ah", 58: "ipv6-icmp",
    108: "comp", 132: "sctp", 136: "udplite",
}  # fmt: skip
_ETHERTYPES = {0x0800: "ip", 0x0806: "arp", 0x86DD: "ip6", 0x8100: "8021q", 0x88A8: "8021ad"}
_ICMP_TYPES = {
    0: "echo-reply", 3: "destination-unreachable", 4: "source-quench", 5: "redirect", 8: "echo-request",
    9: "router-advertisement", 10: "router-solicitation", 11: "time-exceeded", 12: "parameter-problem",
    13: "timestamp-request", 14: "timestamp-reply",
}  # fmt: skip
ICMP_CODES = {
    0: "net-unreachable", 1: "host-unreachable", 2: "prot-unreachable", 3: "port-unreachable", 4: "frag-needed",
    9: "net-prohibited", 10: "host-prohibited", 13: "admin-prohibited",
}  # fmt: skip
_ICMPV6_TYPES = {
    1: "destination-unreachable", 2: "packet-too-big", 3: "time-exceeded", 4: "parameter-problem",
    128: "echo-request", 129: "echo-reply", 130: "mld-listener-query", 131: "mld-listener-report",
    132: "mld-listener-done", 133: "nd-router-solicit", 134: "nd-router-advert", 135: "nd-neighbor-solicit",
    136: "nd-neighbor-advert", 137: "nd-redirect", 143: "mld2-listener-report",
}  # fmt: skip
ICMPV6_CODES = {
    0: "no-route", 1: "admin-prohibited", 3: "addr-unreachable", 4: "port-unreachable", 5: "policy-fail",
    6: "reject-route",
}  # fmt: skip
_ARP_OPERATIONS = {1: "request", 2: "reply"}
_TCP_FLAGS = {1: "fin", 2: "syn", 4: "rst", 8: "psh", 16: "ack", 32: "urg", 64: "ecn", 128: "cwr"}
_CT_STATES = {1: "invalid", 2: "established", 4: "related", 8: "new", 64: "untracked"}
_CT_STATUS = {
    1: "expected", 2: "seen-reply", 4: "assured", 8: "confirmed", 16: "snat", 32: "dnat", 512: "dying",
}  # fmt: skip
_LINK_TYPES = {1: "ether", 772: "loopback"}
_PACKET_TYPES = {0: "host", 1: "broadcast", 2: "multicast", 3: "other"}
ADDRESS_TYPES = {
    0: "unspec", 1: "unicast", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast", 6: "blackhole",
    7: "unreachable", 8: "prohibit",
}  # fmt: skip


def _fields(*described: tuple[int, Field]) -> dict[tuple[int, int], Field]:
    return {(offset, field.size): field for offset, field in described}


_ETHER = _fields(
    (0, Field("ether daddr", 6, mac)),
    (6, Field("ether saddr", 6, mac)),
    (12, Field("ether type", 2, one_of(_ETHERTYPES))),
)
_IP = _fields(
    (2, Field("ip length", 2, number)),
    (4, Field("ip id", 2, number)),
    (6, Field("ip frag-off", 2, number)),
    (8, Field("ip ttl", 1, number)),
    (9, Field("ip protocol", 1, one_of(PROTOCOLS))),
    (10, Field("ip checksum", 2, number)),
    (12, Field("ip saddr", 4, address, is_address=True)),
    (16, Field("ip daddr", 4, address, is_address=True)),
)
_IP6 = _fields(
    (4, Field("ip6 length", 2, number)),
    (6, Field("ip6 nexthdr", 1, one_of(PROTOCOLS))),
    (7, Field("ip6 hoplimit", 1, number)),
    (8, Field("ip6 saddr", 16, address, is_address=True)),
    (24, Field("ip6 daddr", 16, address, is_address=True)),
)
_ARP = _fields(
    (6, Field("arp operation", 2, one_of(_ARP_OPERATIONS))),
    (8, Field("arp saddr ether", 6, mac)),
    (14, Field("arp saddr ip", 4, address, is_address=True)),
    (18, Field("arp daddr ether", 6, mac)),
    (24, Field("arp daddr ip", 4, address, is_address=True)),
)
_PORTS = {protocol: ((0, f"{protocol} sport"), (2, f"{protocol} dport")) for protocol in ("th", *PROTOCOLS.values())}
_OF_PROTOCOL = {
    "udp": ((4, Field("udp length", 2, number)), (6, Field("udp checksum", 2, number))),
    "tcp": (
        (4, Field("tcp sequence", 4, number)),
        (8, Field("tcp ackseq", 4, number)),
        (13, Field("tcp flags", 1, number, _TCP_FLAGS)),
        (14, Field("tcp window", 2, number)),
    ),
    "icmp": (
        (0, Field("icmp type", 1, one_of(_ICMP_TYPES))),
        (1, Field("icmp code", 1, one_of(ICMP_CODES))),
        (2, Field("icmp checksum", 2, number)),
        (4, Field("icmp id", 2, number)),
        (6, Field("icmp sequence", 2, number)),
    ),
    "ipv6-icmp": (
        (0, Field("icmpv6 type", 1, one_of(_ICMPV6_TYPES))),
        (1, Field("icmpv6 code", 1, one_of(ICMPV6_CODES))),
        (2, Field("icmpv6 checksum", 2, number)),
        (4, Field("icmpv6 id", 2, number)),
        (6, Field("icmpv6 sequence", 2, number)),
        (8, Field("icmpv6 taddr", 16, address, is_address=True)),
    ),
}
_WITH_PORTS = ("tcp", "udp", "udplite", "dccp", "sctp", "th")


def _transport(protocol: str) -> dict[tuple[int, int], Field]:
    ports = _PORTS[protocol] if protocol in _WITH_PORTS else ()
    return _fields(*((at, Field(words, 2, number)) for at, words in ports), *_OF_PROTOCOL.get(protocol, ()))


_TRANSPORT = {protocol: _transport(protocol) for protocol in ("th", *PROTOCOLS.values())}
_NETWORKS = {"ip": _IP, "ip6": _IP6, "arp": _ARP}


def fields_of(base: int, network: str, protocol: str) -> Mapping[tuple[int, int], Field]:
    """Return the fields of a header by their first byte and size: of ip, ip6 or arp, and of a protocol or of `th`."""
    if base == Base.LINK:
        return _ETHER
    return _NETWORKS.get(network, {}) if base == Base.NETWORK else _TRANSPORT.get(protocol, {})


def meta(names: Mapping[int, str]) -> Mapping[int, Field]:
    """Return what is known of a packet, by NFT_META_*; `names` are the interfaces by their index."""
    interfaces = one_of({index: f'"{name}"' for index, name in names.items()})
    return {
        0: of_host("meta length", 4, number),
        1: Field("meta protocol", 2, one_of(_ETHERTYPES)),
        2: of_host("meta priority", 4, number),
        3: of_host("meta mark", 4, mark),
        4: of_host("iif", 4, interfaces),
        5: of_host("oif", 4, interfaces),
        6: Field("iifname", 16, interface),
        7: Field("oifname", 16, interface),
        8: of_host("iiftype", 2, one_of(_LINK_TYPES)),
        9: of_host("oiftype", 2, one_of(_LINK_TYPES)),
        10: of_host("meta skuid", 4, number),
        11: of_host("meta skgid", 4, number),
        15: Field("meta nfproto", 1, one_of({2: "ipv4", 10: "ipv6"})),
        16: Field("meta l4proto", 1, one_of(PROTOCOLS)),
        17: Field("meta ibrname", 16, interface),
        18: Field("meta obrname", 16, interface),
        19: Field("meta pkttype", 1, one_of(_PACKET_TYPES)),
        20: of_host("meta cpu", 4, number),
        26: Field("meta iifkind", 16, interface),
        27: Field("meta oifkind", 16, interface),
    }


CT = {
    0: of_host("ct state", 4, number, _CT_STATES),
    1: Field("ct direction", 1, one_of({0: "original", 1: "reply"})),
    2: of_host("ct status", 4, number, _CT_STATUS),
    3: of_host("ct mark", 4, mark),
}
"""What connection tracking knows, by NFT_CT_*."""

_CT_OF_DIRECTION = {
    19: Field("ip saddr", 4, address, is_address=True),
    20: Field("ip daddr", 4, address, is_address=True),
    21: Field("ip6 saddr", 16, address, is_address=True),
    22: Field("ip6 daddr", 16, address, is_address=True),
}


def ct_of(key: int, direction: int) -> Field:
    """Return what connection tracking knows of one direction (IP_CT_DIR_*), by NFT_CT_*."""
    field = _CT_OF_DIRECTION[key]
    return replace(field, words=f"ct {('original', 'reply')[direction]} {field.words}")
