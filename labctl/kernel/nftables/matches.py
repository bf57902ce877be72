"""Which packets a rule matches, as expressions: those of a flow, and those that ask for a neighbour."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator

from labctl.kernel.flow import Flow
from labctl.kernel.nftables import encode
from labctl.topology.iproute import IP_PROTOCOLS
from labctl.topology.values import Host


def of_flow(family: str, flow: Flow) -> bytes:
    """Return the expressions that match the packets of a flow."""
    at_source, at_destination = (12, 16) if flow.to.version == 4 else (8, 24)
    found = _is_ip(family, flow.to.version) + encode.header_is(encode.NETWORK, at_destination, flow.to.packed)
    if flow.source is not None:
        found += encode.header_is(encode.NETWORK, at_source, flow.source.packed)
    if flow.protocol:
        protocol = IP_PROTOCOLS.get(flow.protocol) or int(flow.protocol)
        found += encode.meta_is(encode.META_L4PROTO, bytes([protocol]))
    for offset, port in ((0, flow.sport), (2, flow.dport)):
        if port:
            found += encode.header_is(encode.TRANSPORT, offset, port.to_bytes(2))
    return found


def of_neighbours(family: str, neighbours: Iterable[Host]) -> Iterator[bytes]:
    """Yield the expressions that match ARP (RFC 826), and neighbour discovery (RFC 4861), of some addresses."""
    for host in neighbours:
        if host.version == 4 and family != "inet":
            is_arp = b"" if family == "arp" else encode.meta_is(encode.META_PROTOCOL, b"\x08\x06")
            for offset in (14, 24):  # the address of the sender, that of the target
                yield is_arp + encode.header_is(encode.NETWORK, offset, host.packed)
        elif host.version == 6 and family != "arp":
            is_icmp = encode.meta_is(encode.META_L4PROTO, bytes([IP_PROTOCOLS["ipv6-icmp"]]))
            yield _is_ip(family, 6) + is_icmp + encode.header_is(encode.TRANSPORT, 8, host.packed)


def _is_ip(family: str, version: int) -> bytes:
    if family == "inet":
        return encode.meta_is(encode.META_NFPROTO, bytes([socket.AF_INET if version == 4 else socket.AF_INET6]))
    return encode.meta_is(encode.META_PROTOCOL, b"\x08\x00" if version == 4 else b"\x86\xdd")
