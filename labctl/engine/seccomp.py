"""Filters of system calls (seccomp(2)), programs of classic BPF that are written by hand."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from typing import NamedTuple

Instruction = tuple[int, int, int, int]
"""Code, lines to skip if so, lines to skip if not, value (struct sock_filter of linux/filter.h)."""

LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h
NUMBER, ARCHITECTURE, SECOND_ARGUMENT = 0, 4, 24
"""Where things are in struct seccomp_data; of the argument the lower half, on a little-endian machine."""
ANSWER, ALLOW = 0x00050000, 0x7FFF0000
"""SECCOMP_RET_ERRNO, to which the errno is added, and SECCOMP_RET_ALLOW."""

_SET_FILTER, _LET_SPECULATE = 1, 4  # SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW
_libc = ctypes.CDLL(None, use_errno=True)


class Machine(NamedTuple):
    """A kind of machine: its number in linux/audit.h (AUDIT_ARCH_*), and that of seccomp(2) there."""

    architecture: int
    seccomp: int


MACHINES = {
    "x86_64": Machine(0xC000003E, 317),
    "aarch64": Machine(0xC00000B7, 277),
    "riscv64": Machine(0xC00000F3, 277),
}


class _Program(ctypes.Structure):
    _fields_ = (("instructions", ctypes.c_ushort), ("filter", ctypes.c_char_p))  # struct sock_fprog


def install(machine: Machine, instructions: Iterable[Instruction]) -> None:
    """Have a program decide about each system call of this process and of those that it starts, for good.

    Older kernels would also slow such a process down, against what one that it does not trust learns by speculation.
    Raise OSError if the kernel refuses.
    """
    code = b"".join(struct.pack("=HBBI", *each) for each in instructions)
    program = ctypes.byref(_Program(len(code) // 8, code))
    if _libc.syscall(machine.seccomp, _SET_FILTER, _LET_SPECULATE, program) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "seccomp")
