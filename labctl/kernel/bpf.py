"""Classic BPF, as bpf_asm(1) writes it: lines with labels become a program, struct sock_filter[]."""

from __future__ import annotations

import struct
from collections.abc import Sequence

INSTRUCTIONS = 4096
"""Of a program, at most (linux/bpf_common.h: BPF_MAXINSNS)."""

Line = tuple[str, str, int, str]
"""A label or nothing, an instruction, its number, and the label to which it jumps if it is true."""

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
    "sub x": 0x1C,
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


def assembled(lines: Sequence[Line]) -> bytes:
    """Return the program; labels are turned into distances, which are counted from the next instruction."""
    places = {label: number for number, (label, *_) in enumerate(lines) if label}
    program = []
    for number, (_, name, k, to) in enumerate(lines):
        distance = (int(to) if to.startswith("+") else places[to] - number - 1) if to else 0
        jumps, k = (0, distance) if name == "jmp" else (distance, k)
        program.append(_SOCK_FILTER.pack(_CODES[name], jumps, 0, k))
    return b"".join(program)
