"""One packet in one line, in the words that `tcpdump` and `ip` use.

    10.0.101.1 > 10.0.101.5 ICMP echo request, 84 bytes
    10.0.1.1:40000 > 10.0.2.1:8000 TCP SYN, 60 bytes

A line has source, destination, what and how long. Every sequence of bytes has a line: what cannot be parsed is
malformed, what has no name here has its number.
"""

from __future__ import annotations

import ipaddress
import struct

from labctl.engine.packets import ip as ip

ICMP, ICMPV6 = 1, 58

PROTOCOLS = {
    ICMP: "ICMP",
    2: "IGMP",
    4: "IPv4",
    ip.TCP: "TCP",
    ip.UDP: "UDP",
    41: "IPv6",
    47: "GRE",
    50: "ESP",
    ip.AUTHENTICATION: "AH",
    ICMPV6: "ICMPv6",
    89: "OSPF",
    103: "PIM",
    132: "SCTP",
}

ICMP_TYPES = {
    0: "echo reply",
    3: "destination unreachable",
    5: "redirect",
    8: "echo request",
    9: "router advertisement",
    10: "router solicitation",
    11: "time exceeded",
    12: "parameter problem",
    13: "timestamp request",
    14: "timestamp reply",
}

ICMPV6_TYPES = {
    1: "destination unreachable",
    2: "packet too big",
    3: "time exceeded",
    4: "parameter problem",
    128: "echo request",
    129: "echo reply",
    130: "multicast listener query",
    131: "multicast listener report",
    132: "multicast listener done",
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbour solicitation",
    136: "neighbour advertisement",
    137: "redirect",
    143: "multicast listener report v2",
}

# RFC 9293 3.1, in the order in which they are usually named: SYN ACK, not ACK SYN.
TCP_FLAGS = ((2, "SYN"), (1, "FIN"), (4, "RST"), (8, "PSH"), (16, "ACK"), (32, "URG"))


def describe(packet: bytes) -> str:
    """Return a line for this packet, whatever the bytes are."""
    if reason := ip.fault(packet):
        return f"malformed ({reason.replace('_', ' ')}), {len(packet)} bytes"
    header = ip.parse(packet)
    payload = packet[header.payload_at :]
    source, destination = _host(header.source), _host(header.destination)
    what = PROTOCOLS.get(header.protocol, f"protocol {header.protocol}")
    if header.fragment_at:
        return f"{source} > {destination} {what} fragment at {header.fragment_at}, {len(packet)} bytes"
    if header.protocol in (ip.TCP, ip.UDP) and len(payload) >= 4:
        ports = struct.unpack_from("!HH", payload)
        brackets = "[{}]:{}" if len(header.source) == 16 else "{}:{}"
        source, destination = brackets.format(source, ports[0]), brackets.format(destination, ports[1])
    detail = _detail(header.protocol, payload)
    first = " first fragment" if header.more_fragments else ""
    return f"{source} > {destination} {what}{detail}{first}, {len(packet)} bytes"


def _detail(protocol: int, payload: bytes) -> str:
    """Return what the transport header adds, with a space before it, or nothing."""
    if protocol in (ICMP, ICMPV6) and payload:
        names = ICMP_TYPES if protocol == ICMP else ICMPV6_TYPES
        return " " + names.get(payload[0], f"type {payload[0]}")
    if protocol == ip.TCP and len(payload) >= 14:
        return "".join(f" {name}" for bit, name in TCP_FLAGS if payload[13] & bit)
    return ""


def _host(packed: bytes) -> str:
    return str(ipaddress.ip_address(packed))
