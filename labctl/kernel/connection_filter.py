"""A filter for taps that leaves out TCP connections, also where a tunnel carries them: a classic BPF program.

A tap costs a stream a copy of each of its frames, and who reads the tap costs it more. Connections that are older than
a trace are none of its own, so the kernel passes over them before it copies. They are known by their two ports.

A datagram of a tunnel is left out where it carries one packet, or begins with a large one: small packets of several
connections may share a superframe, and one of them may concern the trace. What cannot be told is accepted.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Sequence

from labctl.engine.packets.ip import TCP, UDP
from labctl.kernel.packet_taps import ARPHRD_ETHER, ARPHRD_LOOPBACK

MOST = 500
"""Connections, and ports of tunnels, that a filter knows: a program has at most 4096 instructions."""

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
    "ldx #": 0x01,
    "ld M": 0x60,
    "ldx M": 0x61,
    "st M": 0x02,
    "stx M": 0x03,
    "add": 0x04,
    "add x": 0x0C,
    "sub": 0x14,
    "and": 0x54,
    "lsh": 0x64,
    "rsh": 0x74,
    "tax": 0x07,
    "txa": 0x87,
    "jmp": 0x05,
    "jeq": 0x15,
    "jeq x": 0x1D,
    "jge": 0x35,
    "jset": 0x45,
    "ret": 0x06,
}
_DEVICE_TYPE = 0xFFFFF000 + 28  # SKF_AD_OFF + SKF_AD_HATYPE (linux/filter.h)
_ALL = 0xFFFFFFFF
_PROTOCOL, _PAYLOAD, _INNER, _AT = range(4)  # cells of M

_Line = tuple[str, str, int, str]
"""A label or nothing, an instruction, its number, and the label to which it jumps if it is true."""


def without(connections: Collection[tuple[int, int]], tunnel_ports: Collection[int]) -> bytes:
    """Return a program that refuses the packets of TCP connections between these ports, in both directions.

    Of more connections than MOST the rest is accepted.
    """
    refused = [ports for one, other in list(connections)[:MOST] for ports in (one << 16 | other, other << 16 | one)]
    ports = list(tunnel_ports)[: MOST // 2]
    return _assembled(
        [
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
            *_ip("ip"),
            *_if_equal(TCP, ("", "jmp", 0, "tcp")),
            ("", "jeq", UDP, "udp"),
            ("", "ret", _ALL, ""),
            ("udp", "ldh x", 2, ""),
            *(line for port in ports for line in _if_equal(port, ("", "jmp", 0, "tunnel"))),
            ("", "ret", _ALL, ""),
            ("tunnel", "ldh x", 4, ""),
            ("", "sub", 8, ""),
            ("", "st M", _PAYLOAD, ""),
            ("", "txa", 0, ""),
            ("", "add", 8, ""),
            ("", "tax", 0, ""),
            *_ip("inner"),
            ("", "jeq", TCP, "inner-tcp"),
            ("", "ret", _ALL, ""),
            ("inner-tcp", "ld M", _INNER, ""),
            ("", "jge", LARGE, "tcp"),
            ("", "stx M", _AT, ""),
            ("", "ldx M", _PAYLOAD, ""),
            ("", "jeq x", 0, "alone"),
            ("", "ret", _ALL, ""),
            ("alone", "ldx M", _AT, ""),
            ("tcp", "ld x", 0, ""),
            *(line for both in refused for line in _if_equal(both, ("", "ret", 0, ""))),
            ("", "ret", _ALL, ""),
        ]
    )


def _if_equal(number: int, then: _Line) -> Iterator[_Line]:
    """Yield what does something where A is a number; a conditional jump is too short to pass over many of these."""
    yield "", "jeq", number, "+1"
    yield "", "jmp", 0, "+1"
    yield then


def _ip(name: str) -> Iterator[_Line]:
    """Yield what reads the IP header at X: its protocol into A, its length into M, and where it ends into X."""
    yield name, "ldb x", 0, ""
    yield "", "rsh", 4, ""
    yield "", "jeq", 4, f"{name} 4"
    yield "", "jeq", 6, f"{name} 6"
    yield "", "ret", _ALL, ""
    yield f"{name} 4", "ldh x", 6, ""
    yield "", "jset", 0x1FFF, f"{name} fragment"
    yield "", "ldh x", 2, ""
    yield "", "st M", _INNER, ""
    yield "", "ldb x", 9, ""
    yield "", "st M", _PROTOCOL, ""
    yield "", "ldb x", 0, ""
    yield "", "and", 15, ""
    yield "", "lsh", 2, ""
    yield "", "add x", 0, ""
    yield "", "jmp", 0, f"{name} payload"
    yield f"{name} fragment", "ret", _ALL, ""
    yield f"{name} 6", "ldb x", 6, ""
    yield "", "st M", _PROTOCOL, ""
    yield "", "ldh x", 4, ""
    yield "", "add", 40, ""
    yield "", "st M", _INNER, ""
    yield "", "txa", 0, ""
    yield "", "add", 40, ""
    yield f"{name} payload", "tax", 0, ""
    yield "", "ld M", _PROTOCOL, ""


def _assembled(lines: Sequence[_Line]) -> bytes:
    """Return the program; labels are turned into distances, which are counted from the next instruction."""
    places = {label: number for number, (label, *_) in enumerate(lines) if label}
    program = []
    for number, (_, name, k, to) in enumerate(lines):
        distance = (int(to) if to.startswith("+") else places[to] - number - 1) if to else 0
        jumps, k = (0, distance) if name == "jmp" else (distance, k)
        program.append(_SOCK_FILTER.pack(_CODES[name], jumps, 0, k))
    return b"".join(program)
