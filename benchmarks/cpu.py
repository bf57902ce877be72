"""CPU time that processes have used, and how much of it they spent for taps: figures that hold on a busy machine, too.

What arrives in a second changes with whatever else the machine does; what a byte costs does so much less.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from benchmarks.world import Failed

TAPPED = {"dev_queue_xmit_nit", "packet_rcv", "tpacket_rcv"}
"""What the kernel calls for a tap: of what leaves (net/core/dev.c), and of what is tapped (net/packet/af_packet.c)."""

FREQUENCY = 4999
"""Samples in a second of CPU time."""


def used(processes: Iterable[int]) -> float:
    """Return the seconds for which processes have run so far; those that have ended count nothing."""
    return sum(_used(process) for process in processes)


def _used(process: int) -> float:
    with suppress(OSError):
        tasks = Path(f"/proc/{process}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    return 0.0


def with_descendants(process: int) -> set[int]:
    """Return a process and all that it has started, and they in turn."""
    parents = dict(_parents())
    found = {process}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            yield int(status.parent.name), int(status.read_text().rpartition(")")[2].split()[1])


def share_of_taps(processes: Iterable[int], seconds: float) -> float:
    """Return which part of the CPU time of processes goes to taps, in percent, as perf(1) samples it.

    Raise Failed where it cannot.
    """
    with tempfile.NamedTemporaryFile() as samples:
        pids = ",".join(map(str, processes))
        record = ["perf", "record", "-q", "-g", "-e", "cpu-clock", "-F", str(FREQUENCY), "-p", pids]
        try:
            subprocess.run([*record, "-o", samples.name, "--", "sleep", str(seconds)], check=True, capture_output=True)
            script = ["perf", "script", "-i", samples.name, "-F", "ip,sym"]
            told = subprocess.run(script, check=True, capture_output=True, text=True).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            raise Failed(f"perf cannot sample: {error}") from None
    stacks = [{line.split()[1] for line in block.splitlines() if len(line.split()) > 1} for block in told.split("\n\n")]
    stacks = [stack for stack in stacks if stack]
    if not stacks:
        raise Failed("perf has no samples")
    return 100 * sum(bool(stack & TAPPED) for stack in stacks) / len(stacks)
