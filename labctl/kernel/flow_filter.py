"""A filter for taps that leaves out flows of TCP and UDP, also where a tunnel carries them: a classic BPF program.

A tap costs a stream a copy of each of its frames, and who reads the tap costs it more. Connections that are older than
a trace are none of its own, nor are the flows of others that a check is made beside, so the kernel passes over them
before it copies. They are known by their two ports; in a tunnel no difference is made between TCP and UDP.

A superframe of a tunnel carries packets of several connections, one behind another, all but the last of one size and
with headers of one size. It is left out where each of them would be. Of large packets, which a bulk transfer has in
long rows, only the first and the last are looked at. What cannot be told is accepted.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Sequence

from labctl.engine.packets.ip import TCP, UDP
from labctl.kernel.packet_taps import ARPHRD_ETHER, ARPHRD_LOOPBACK

MOST = 100
"""Flows of TCP, flows of UDP, and ports of tunnels, that a filter knows."""

MOST_PACKETS = 64
"""Packets of a superframe that a filter looks at, where there are few connections."""

INSTRUCTIONS = 4096
"""Of a program, at most (linux/bpf_common.h: BPF_MAXINSNS)."""

LARGE = 1000
"""Bytes of a packet that belongs to a bulk transfer."""

_SOCK_FILTER = struct.Struct("=HBBI")  # code, jump if true, jump if false, k

# linux/bpf_common.h, by the names that bpf_asm has for them; A and X are the registers, M the scratch memory.
_CODES = {
    "ld": 0x20,  # A = a word of the packet at k; there and below also what the kernel knows beside the packet
    "ldh": 0x28,
    "ld x": 0x40,  # A = a word of the packet at X + k
    "ldh x": 0x48,
    "ldb x": 0x50,
    "ld #": 0x00,
    "ldx #": 0x01,
    "ld M": 0x60,
    "ldx M": 0x61,
    "st M": 0x02,
    "stx M": 0x03,
    "add": 0x04,
    "add x": 0x0C,
    "sub": 0x14,
    "mul x": 0x2C,
    "div x": 0x3C,
    "and": 0x54,
    "lsh": 0x64,
    "rsh": 0x74,
    "tax": 0x07,
    "txa": 0x87,
    "jmp": 0x05,
    "jeq": 0x15,
    "jge": 0x35,
    "jgt x": 0x2D,
    "jset": 0x45,
    "ret": 0x06,
}
_DEVICE_TYPE = 0xFFFFF000 + 28  # SKF_AD_OFF + SKF_AD_HATYPE (linux/filter.h)
_ALL = 0xFFFFFFFF
_PROTOCOL, _PAYLOAD, _BEGIN, _END, _SIZE, _HEADER = range(6)  # cells of M

_Line = tuple[str, str, int, str]
"""A label or nothing, an instruction, its number, and the label to which it jumps if it is true."""


Ports = tuple[int, int]
"""The two ports of a flow, in either order."""


def without(tcp: Collection[Ports], tunnel_ports: Collection[int], udp: Collection[Ports] = ()) -> bytes:
    """Return a program that refuses the packets of TCP and UDP between these ports, in both directions.

    Of more flows of each, or ports of tunnels, than MOST the rest is accepted.
    """
    connections, datagrams = _both_ways(tcp), _both_ways(udp)
    refused = [*dict.fromkeys((*connections, *datagrams))][: 2 * MOST]
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
        *_ip(),
        ("", "jeq", UDP, "udp"),
        ("", "jeq", TCP, "tcp"),
        ("", "ret", _ALL, ""),
        ("tcp", "ld x", 0, ""),
        *(("", "jeq", ports, "refuse") for ports in connections),
        ("", "ret", _ALL, ""),
        ("refuse", "ret", 0, ""),
        ("udp", "ld x", 0, ""),
        *(("", "jeq", ports, "refuse datagram") for ports in datagrams),
        ("", "jmp", 0, "datagram"),
        ("refuse datagram", "ret", 0, ""),
        ("datagram", "ldh x", 2, ""),
        *(("", "jeq", port, "tunnel") for port in list(tunnel_ports)[:MOST]),
        ("", "ret", _ALL, ""),
        *_train(refused),
    )
    further = min(MOST_PACKETS, (INSTRUCTIONS - len(head) - 1) // len(list(_further(1, refused))))
    small = (line for number in range(1, 1 + further) for line in _further(number, refused))
    return _assembled([*head, *small, ("", "ret", _ALL, "")])


def _both_ways(flows: Collection[Ports]) -> list[int]:
    """Return the first words of the transport headers of some flows, at most twice MOST."""
    return [ports for one, other in list(flows)[:MOST] for ports in (one << 16 | other, other << 16 | one)]


def _ip() -> Iterator[_Line]:
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
    yield "fragment", "ret", _ALL, ""
    yield "IPv6", "ldb x", 6, ""
    yield "", "st M", _PROTOCOL, ""
    yield "", "txa", 0, ""
    yield "", "add", 40, ""
    yield "payload", "tax", 0, ""
    yield "", "ld M", _PROTOCOL, ""


def _train(refused: Sequence[int]) -> Iterator[_Line]:
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
    yield "first IPv4", "ldb x", 9, ""
    yield "", "jeq", TCP, "with ports"
    yield "", "jeq", UDP, "with ports"
    yield "", "ret", _ALL, ""
    yield "with ports", "ld #", 20, ""
    yield "", "jmp", 0, "header"
    yield "first IPv6", "ldb x", 6, ""
    yield "", "jeq", TCP, "with ports, IPv6"
    yield "", "jeq", UDP, "with ports, IPv6"
    yield "", "ret", _ALL, ""
    yield "with ports, IPv6", "ld #", 40, ""
    yield "header", "st M", _HEADER, ""
    yield "", "add x", 0, ""
    yield "", "tax", 0, ""
    yield from _ports("first", refused)
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
    yield from _ports("last", refused)
    yield "", "ret", 0, ""


def _further(number: int, refused: Sequence[int]) -> Iterator[_Line]:
    """Yield what goes from the ports at X to those of the next packet, and refuses all where the train has ended."""
    yield str(number), "txa", 0, ""
    yield "", "ldx M", _SIZE, ""
    yield "", "add x", 0, ""
    yield "", "tax", 0, ""
    yield "", "ld M", _END, ""
    yield "", "jgt x", 0, f"{number} there"
    yield "", "ret", 0, ""
    yield from _ports(f"{number} there", refused)


def _ports(name: str, refused: Sequence[int]) -> Iterator[_Line]:
    """Yield what accepts all if the ports at X are of no such flow, else goes on."""
    yield name, "ld x", 0, ""
    yield from (("", "jeq", ports, f"{name} refused") for ports in refused)
    yield "", "ret", _ALL, ""
    yield f"{name} refused", "txa", 0, ""  # a jump needs a line to lead to


def _assembled(lines: Sequence[_Line]) -> bytes:
    """Return the program; labels are turned into distances, which are counted from the next instruction."""
    places = {label: number for number, (label, *_) in enumerate(lines) if label}
    program = []
    for number, (_, name, k, to) in enumerate(lines):
        distance = (int(to) if to.startswith("+") else places[to] - number - 1) if to else 0
        jumps, k = (0, distance) if name == "jmp" else (distance, k)
        program.append(_SOCK_FILTER.pack(_CODES[name], jumps, 0, k))
    return b"".join(program)
