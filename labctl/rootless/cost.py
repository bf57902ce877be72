"""What an environment costs the machine: memory and CPU of all its processes, as the kernel counts them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from labctl.frozen import frozen
from labctl.process.proc import fields_of_stat
from labctl.process.processes import Process, descendants

MOST = 4096
"""Processes that are looked at."""


@frozen
class Cost:
    """How many processes there are, the memory that is theirs in bytes (PSS), and how long they have had a CPU."""

    processes: int
    memory: int
    cpu_seconds: float


def cost(holder: Process) -> Cost:
    """Return what the first process of an environment and all below it cost.

    Only root is told of other users' memory. What is mapped there may keep the kernel waiting: ask in a process apart.
    """
    pids = [holder.pid, *descendants(holder.pid)][:MOST]
    memory, ticks = 0, 0
    for pid in pids:
        with suppress(OSError, ValueError, IndexError):  # it has ended
            memory += _proportional(Path(f"/proc/{pid}/smaps_rollup").read_text())
            fields = fields_of_stat(pid)
            ticks += int(fields[11]) + int(fields[12])  # utime, stime (proc(5), fields 14 and 15)
    return Cost(len(pids), memory, ticks / os.sysconf("SC_CLK_TCK"))


def _proportional(rollup: str) -> int:
    return sum(1024 * int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
