"""What a class costs one server: `python -m benchmarks.class_cost` (`make class-cost`); as root.

Each person is an ordinary user with the two-site lab. All bring it up at once, the labs idle, all verify at once, all
take it down at once. What is counted: failures, seconds, CPU, and the memory of each process of a lab (PSS, of which
those of all processes add up).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.cpu import used
from benchmarks.memory import pss
from benchmarks.people import Person, Ran, people, together
from benchmarks.world import INSIDE, enter

HOLDER = "labctl: rootless environment"
KINDS = {HOLDER: "the holder", "ttun": "an engine"}
"""The processes of a lab by the beginning of their title."""


@dataclass(frozen=True)
class Cost:
    """What a class was measured to cost; memory in MB, CPU in seconds."""

    labs: int
    up: Ran
    memory: dict[str, float]  # of one process of each kind
    memory_of_a_lab: float
    idle_cpu: float  # CPUs that all labs together keep busy
    verify: Ran
    down: Ran
    left: int  # processes of these people when all is down


def measure(number: int, file: str, rest: float) -> Cost:
    """Return what so many labs of a topology cost that idle for so many seconds."""
    with people(number) as group:
        up = together(group, "up", file)
        found = dict(_processes(group))
        by_kind: dict[str, list[float]] = {}
        for pid, title in found.items():
            by_kind.setdefault(_kind(title), []).append(pss(pid))
        before = used(found)
        time.sleep(rest)
        idle = (used(found) - before) / rest
        verify = together(group, "verify")
        down = together(group, "down")
        return Cost(
            labs=number,
            up=up,
            memory={kind: statistics.mean(each) for kind, each in by_kind.items()},
            memory_of_a_lab=sum(sum(each) for each in by_kind.values()) / number,
            idle_cpu=idle,
            verify=verify,
            down=down,
            left=len(list(_processes(group))),
        )


def _processes(group: Iterable[Person]) -> Iterator[tuple[int, str]]:
    """Yield the living processes of these people: PID and title."""
    uids = {person.uid for person in group}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            owner = int((entry / "status").read_text().partition("\nUid:")[2].split()[0])
            title = (entry / "cmdline").read_bytes()  # a dead one has none
            if owner in uids and title:
                yield int(entry.name), title.replace(b"\0", b" ").decode()


def _kind(title: str) -> str:
    return next((kind for beginning, kind in KINDS.items() if title.startswith(beginning)), title)


def _table(cost: Cost) -> Table:
    table = Table(title=f"{cost.labs} rootless labs, {len(os.sched_getaffinity(0))} CPUs")
    for heading in ("", "seconds", "CPU seconds for a lab", "failed"):
        table.add_column(heading, justify="right" if heading else "left")
    for words, ran in (("all `up` at once", cost.up), ("all `verify`", cost.verify), ("all `down`", cost.down)):
        table.add_row(words, f"{ran.seconds:.1f}", f"{ran.cpu_seconds / cost.labs:.2f}", str(ran.failed))
    return table


def main() -> int:
    """Measure and show it; return 1 where something failed or was left."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.class_cost", description=__doc__)
    parser.add_argument("--people", type=int, default=30, help="how many have a lab (default 30)")
    parser.add_argument("--file", default="two-site", help="a topology (default two-site)")
    parser.add_argument("--rest", type=float, default=10, help="seconds for which the labs idle (default 10)")
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    given = parser.parse_args()
    if INSIDE not in os.environ:
        return enter([sys.executable, "-m", "benchmarks.class_cost", *sys.argv[1:]])
    cost = measure(given.people, given.file, given.rest)
    if given.json:
        print(json.dumps(asdict(cost)))
    else:
        console = Console(highlight=False)
        console.print(_table(cost))
        for kind, memory in cost.memory.items():
            console.print(f"{kind}: {memory:.1f} MB (PSS)")
        console.print(f"a whole lab: {cost.memory_of_a_lab:.1f} MB")
        console.print(f"all idle: {100 * cost.idle_cpu:.1f} % of one CPU")
        console.print(f"processes left: {cost.left}")
    return int(bool(cost.up.failed or cost.verify.failed or cost.down.failed or cost.left))


if __name__ == "__main__":
    sys.exit(main())
