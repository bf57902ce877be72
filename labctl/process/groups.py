"""Daemons that give up supplementary groups, where the kernel lets no process change them.

A user namespace that an ordinary user makes maps one group, and setgroups(2) is denied in it (user_namespaces(7)).
Every daemon that drops privileges calls it first, as root, and ends when it fails: FRR, dnsmasq, nginx. In there it
would change nothing, for no other group exists, so it is answered as done: by a filter of system calls (seccomp(2)),
which the program inherits. All else that a program asks for is answered by the kernel: it cannot become another user.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

from labctl.process.syscalls import filter_system_calls

_SETGROUPS = {"x86_64": (0xC000003E, 116), "aarch64": (0xC00000B7, 159), "riscv64": (0xC00000F3, 159)}
"""By machine: its number in linux/audit.h (AUDIT_ARCH_*), and that of setgroups."""

_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h
_NUMBER, _ARCHITECTURE = 0, 4  # where both are in struct seccomp_data
_ANSWER, _ALLOW = 0x00050000, 0x7FFF0000  # SECCOMP_RET_ERRNO with 0, SECCOMP_RET_ALLOW


def let_groups_be_dropped() -> None:
    """Answer setgroups(2) as done from here on, for this process and those that it starts, where it is denied."""
    machine = os.uname().machine
    if machine in _SETGROUPS and _denied():
        with suppress(OSError):  # a kernel without seccomp: the program is told that it is denied
            filter_system_calls(_program(*_SETGROUPS[machine]))


def _denied() -> bool:
    try:
        return Path("/proc/self/setgroups").read_text().strip() == "deny"
    except OSError:
        return False


def _program(architecture: int, setgroups: int) -> bytes:
    """Return the filter, in classic BPF."""
    return b"".join(
        struct.pack("=HBBI", code, if_so, if_not, value)
        for code, if_so, if_not, value in (
            (_LOAD, 0, 0, _ARCHITECTURE),
            (_JUMP_IF_EQUAL, 0, 3, architecture),
            (_LOAD, 0, 0, _NUMBER),
            (_JUMP_IF_EQUAL, 0, 1, setgroups),
            (_RETURN, 0, 0, _ANSWER),
            (_RETURN, 0, 0, _ALLOW),
        )
    )
