"""Daemons that give up supplementary groups, where the kernel lets no process change them.

A user namespace that an ordinary user makes maps one group, and setgroups(2) is denied in it (user_namespaces(7)).
Every daemon that drops privileges calls it first, as root, and ends when it fails: FRR, dnsmasq, nginx. In there it
would change nothing, for no other group exists, so it is answered as done: by a filter of system calls (seccomp(2)),
which the program inherits. All else that a program asks for is answered by the kernel: it cannot become another user.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from labctl.engine.seccomp import (
    ALLOW,
    ANSWER,
    ARCHITECTURE,
    JUMP_IF_EQUAL,
    LOAD,
    MACHINES,
    NUMBER,
    RETURN,
    Instruction,
    install,
)

_SETGROUPS = {"x86_64": 116, "aarch64": 159, "riscv64": 159}
"""Its number by machine (asm/unistd.h)."""


def let_groups_be_dropped() -> None:
    """Answer setgroups(2) as done from here on, for this process and those that it starts, where it is denied."""
    machine = os.uname().machine
    if machine in _SETGROUPS and _denied():
        with suppress(OSError):  # a kernel without seccomp: the program is told that it is denied
            install(MACHINES[machine], _filter(MACHINES[machine].architecture, _SETGROUPS[machine]))


def _denied() -> bool:
    try:
        return Path("/proc/self/setgroups").read_text().strip() == "deny"
    except OSError:
        return False


def _filter(architecture: int, setgroups: int) -> tuple[Instruction, ...]:
    return (
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_IF_EQUAL, 0, 3, architecture),
        (LOAD, 0, 0, NUMBER),
        (JUMP_IF_EQUAL, 0, 1, setgroups),
        (RETURN, 0, 0, ANSWER),
        (RETURN, 0, 0, ALLOW),
    )
