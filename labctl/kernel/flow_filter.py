"""A filter for taps that leaves out flows of others, also where a tunnel carries them: a classic BPF program.

A tap costs a stream a copy of each of its frames, and who reads the tap costs it more. Connections that are older than
a trace are none of its own, nor are the flows of others that a check is made beside, so the kernel passes over them
before it copies. They are known by their two ports, or by one of them, as the many short connections to a service; in
a tunnel no difference is made between TCP and UDP. An echo of ICMP is known by how its payload begins. Of a packet that
was cut the parts behind the first are known by nothing but their protocol.

A superframe of a tunnel carries packets of several connections, one behind another, all but the last of one size and
with headers of one size. It is left out where each of them would be. Of large packets, which a bulk transfer has in
long rows, only the first and the last are looked at. What cannot be told is accepted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from labctl.engine.packets.describe import ICMP, ICMPV6
from labctl.engine.packets.ip import FRAGMENT, TCP, UDP
from labctl.kernel.bpf import INSTRUCTIONS, Line, assembled
from labctl.kernel.packet_taps import ARPHRD_ETHER, ARPHRD_LOOPBACK

MOST = 100
"""Flows of TCP, flows of UDP, and ports of tunnels, that a filter knows."""

MOST_SERVICES = 16
"""Ports that a filter knows alone: a jump that depends on a comparison skips 255 instructions at most."""

MOST_PACKETS = 64
"""Packets of a superframe that a filter looks at, where there are few connections."""

LARGE = 1000
"""Bytes of a packet that belongs to a bulk transfer."""

_DEVICE_TYPE = 0xFFFFF000 + 28  # SKF_AD_OFF + SKF_AD_HATYPE (linux/filter.h)
_ALL = 0xFFFFFFFF
_ECHO = (8, 0, 128, 129)  # request and reply (RFC 792, RFC 4443)
_PROTOCOL, _PAYLOAD, _BEGIN, _END, _SIZE, _HEADER, _BACK, _AT = range(8)  # cells of M

Ports = tuple[int, int]
"""The two ports of a flow, in either order."""


def without(
    tcp: Collection[Ports],
    tunnel_ports: Collection[int],
    udp: Collection[Ports] = (),
    services: Collection[int] = (),
    fragments: Collection[int] = (),
    mark: bytes = b"",
) -> bytes:
    """Return a program that refuses the packets of TCP and UDP between these ports, in both directions.

    So it does those from or to the ports of `services`, parts behind the first of packets of these protocols, and, if
    there is a `mark`, echoes whose payload does not begin with its four bytes. Of more than a filter knows the rest is
    accepted.
    """
    connections, datagrams = _both_ways(tcp), _both_ways(udp)
    alone, known = list(services)[:MOST_SERVICES], int.from_bytes(mark)
    inner = _Inner([*dict.fromkeys((*connections, *datagrams))][: 2 * MOST], alone, known)
    head = (
        ("", "ld", _DEVICE_TYPE, ""),
        ("", "jeq", ARPHRD_ETHER, "ethernet"),
        ("", "jeq", ARPHRD_LOOPBACK, "ethernet"),
        ("", "ldx #", 0, ""),
        ("", "jmp", 0, "ip"),
        ("ethernet", "ldh", 12, ""),
        ("", "jeq", 0x0800, "untagged"),
        ("", "jeq", 0x86DD, "untagged"),
        ("", "ret", _ALL, ""),
        ("untagged", "ldx #", 14, ""),
        *_ip(fragments),
        ("", "jeq", UDP, "udp"),
        ("", "jeq", TCP, "tcp"),
        *_echo("outer", known, "refuse echo"),
        ("refuse echo", "ret", 0, ""),
        ("tcp", "ld x", 0, ""),
        *(("", "jeq", ports, "refuse") for ports in connections),
        *_either(alone, "refuse"),
        ("", "ret", _ALL, ""),
        ("refuse", "ret", 0, ""),
        ("udp", "ld x", 0, ""),
        *(("", "jeq", ports, "refuse datagram") for ports in datagrams),
        ("", "jmp", 0, "datagram"),
        ("refuse datagram", "ret", 0, ""),
        ("datagram", "ldh x", 2, ""),
        *(("", "jeq", port, "tunnel") for port in list(tunnel_ports)[:MOST]),
        *_either(alone, "refuse service"),
        ("", "ret", _ALL, ""),
        ("refuse service", "ret", 0, ""),
        *_train(inner),
    )
    further = min(MOST_PACKETS, (INSTRUCTIONS - len(head) - 1) // len(list(_further(1, inner))))
    small = (line for number in range(1, 1 + further) for line in _further(number, inner))
    return assembled([*head, *small, ("", "ret", _ALL, "")])


def _both_ways(flows: Collection[Ports]) -> list[int]:
    """Return the first words of the transport headers of some flows, at most twice MOST."""
    return [ports for one, other in list(flows)[:MOST] for ports in (one << 16 | other, other << 16 | one)]


def _either(services: Collection[int], to: str) -> Iterator[Line]:
    """Yield what jumps if one of the ports of the transport header at X is one of these."""
    for offset in (0, 2) if services else ():
        yield "", "ldh x", offset, ""
        yield from (("", "jeq", port, to) for port in services)


def _echo(name: str, mark: int, to: str) -> Iterator[Line]:
    """Yield what jumps if A is ICMP, and the header at X that of an echo without the mark; and accepts all else."""
    if mark:
        yield "", "jeq", ICMP, f"{name} ICMP"
        yield "", "jeq", ICMPV6, f"{name} ICMP"
        yield "", "ret", _ALL, ""
        yield f"{name} ICMP", "ldb x", 0, ""
        yield from (("", "jeq", kind, f"{name} echo") for kind in _ECHO)
        yield "", "ret", _ALL, ""
        yield f"{name} echo", "ld x", 8, ""
        yield "", "jeq", mark, f"{name} marked"
        yield "", "jmp", 0, to
        yield f"{name} marked", "ret", _ALL, ""
    else:
        yield "", "ret", _ALL, ""


def _ip(fragments: Collection[int]) -> Iterator[Line]:
    """Yield what reads the IP header at X: its protocol into A, and where it ends into X."""
    yield "ip", "ldb x", 0, ""
    yield "", "rsh", 4, ""
    yield "", "jeq", 4, "IPv4"
    yield "", "jeq", 6, "IPv6"
    yield "", "ret", _ALL, ""
    yield "IPv4", "ldh x", 6, ""
    yield "", "jset", 0x1FFF, "fragment"
    yield "", "ldb x", 9, ""
    yield "", "st M", _PROTOCOL, ""
    yield "", "ldb x", 0, ""
    yield "", "and", 15, ""
    yield "", "lsh", 2, ""
    yield "", "add x", 0, ""
    yield "", "jmp", 0, "payload"
    yield "fragment", "ldb x", 9, ""
    yield "", "st M", _PROTOCOL, ""
    yield "", "jmp", 0, "part"
    yield "IPv6", "ldb x", 6, ""
    yield "", "jeq", FRAGMENT, "IPv6 fragment"
    yield "", "st M", _PROTOCOL, ""
    yield "", "txa", 0, ""
    yield "", "add", 40, ""
    yield "", "jmp", 0, "payload"
    yield "IPv6 fragment", "ldb x", 40, ""
    yield "", "st M", _PROTOCOL, ""
    yield "", "ldh x", 42, ""
    yield "", "jset", 0xFFF8, "part"
    yield "", "txa", 0, ""
    yield "", "add", 48, ""
    yield "", "jmp", 0, "payload"
    yield "part", "ld M", _PROTOCOL, ""
    yield from (("", "jeq", each, "refuse part") for each in fragments)
    yield "", "ret", _ALL, ""
    yield "refuse part", "ret", 0, ""
    yield "payload", "tax", 0, ""
    yield "", "ld M", _PROTOCOL, ""


class _Inner(NamedTuple):
    """What is refused of the packets in a tunnel."""

    ports: Sequence[int]
    services: Sequence[int]
    mark: int


def _train(refused: _Inner) -> Iterator[Line]:
    """Yield what reads the UDP header at X, and looks at the first packet of its payload, of large ones at the last."""
    yield "tunnel", "ldh x", 4, ""
    yield "", "sub", 8, ""
    yield "", "st M", _PAYLOAD, ""
    yield "", "txa", 0, ""
    yield "", "add", 8, ""
    yield "", "tax", 0, ""
    yield "", "st M", _BEGIN, ""
    yield "", "ld M", _PAYLOAD, ""
    yield "", "add x", 0, ""
    yield "", "st M", _END, ""
    yield "", "ldb x", 0, ""
    yield "", "rsh", 4, ""
    yield "", "jeq", 6, "inner IPv6"
    yield "", "ldh x", 2, ""
    yield "", "jmp", 0, "size"
    yield "inner IPv6", "ldh x", 4, ""
    yield "", "add", 40, ""
    yield "size", "st M", _SIZE, ""
    yield "", "ldb x", 0, ""
    yield "", "jeq", 0x45, "first IPv4"
    yield "", "rsh", 4, ""
    yield "", "jeq", 6, "first IPv6"
    yield "", "ret", _ALL, ""
    yield "first IPv4", "ld #", 20 - 9, ""
    yield "", "st M", _BACK, ""
    yield "", "ld #", 20, ""
    yield "", "jmp", 0, "header"
    yield "first IPv6", "ld #", 40 - 6, ""
    yield "", "st M", _BACK, ""
    yield "", "ld #", 40, ""
    yield "header", "st M", _HEADER, ""
    yield "", "add x", 0, ""
    yield "", "tax", 0, ""
    yield from _packet("first", refused)
    yield "", "ldx M", _HEADER, ""
    yield "", "ld M", _END, ""
    yield "", "add x", 0, ""
    yield "", "st M", _END, ""
    yield "", "ld M", _BEGIN, ""
    yield "", "add x", 0, ""
    yield "", "st M", _BEGIN, ""
    yield "", "tax", 0, ""
    yield "", "ld M", _SIZE, ""
    yield "", "jge", LARGE, "large"
    yield "", "jmp", 0, "1"
    yield "large", "ld M", _PAYLOAD, ""
    yield "", "sub", 1, ""
    yield "", "ldx M", _SIZE, ""
    yield "", "div x", 0, ""
    yield "", "mul x", 0, ""
    yield "", "ldx M", _BEGIN, ""
    yield "", "add x", 0, ""
    yield "", "tax", 0, ""
    yield from _packet("last", refused)
    yield "", "ret", 0, ""


def _further(number: int, refused: _Inner) -> Iterator[Line]:
    """Yield what goes from the ports at X to those of the next packet, and refuses all where the train has ended."""
    yield str(number), "txa", 0, ""
    yield "", "ldx M", _SIZE, ""
    yield "", "add x", 0, ""
    yield "", "tax", 0, ""
    yield "", "ld M", _END, ""
    yield "", "jgt x", 0, f"{number} there"
    yield "", "ret", 0, ""
    yield from _packet(f"{number} there", refused)


def _packet(name: str, refused: _Inner) -> Iterator[Line]:
    """Yield what accepts all if the packet whose transport header is at X is of no such flow, else goes on."""
    yield name, "stx M", _AT, ""
    yield "", "txa", 0, ""
    yield "", "ldx M", _BACK, ""
    yield "", "sub x", 0, ""
    yield "", "tax", 0, ""
    yield "", "ldb x", 0, ""
    yield "", "ldx M", _AT, ""
    yield "", "jeq", TCP, f"{name}, ports"
    yield "", "jeq", UDP, f"{name}, ports"
    yield from _echo(name, refused.mark, f"{name} refused")
    yield f"{name}, ports", "ld x", 0, ""
    yield from (("", "jeq", ports, f"{name} refused") for ports in refused.ports)
    yield from _either(refused.services, f"{name} refused")
    yield "", "ret", _ALL, ""
    yield f"{name} refused", "txa", 0, ""  # a jump needs a line to lead to
