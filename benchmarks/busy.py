"""How many healthy labs fail `verify` while the machine is busy: thirty people at once, the CPUs overbooked.

Each person is an ordinary user with the two-site lab, as in a workshop. All verify at the same time, beside eight loops
for each CPU that never sleep. What is counted are the labs of which `verify` says anything but that all checks passed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from benchmarks.people import Person, Ran, people, together
from benchmarks.report import Figure
from benchmarks.world import REPOSITORY, Failed

PEOPLE = 30
OVERBOOKED = 8
"""Loops for each CPU."""

SPIN = "import time; end = time.monotonic() + 300\nwhile time.monotonic() < end: pass"


def measure(rounds: int, absent: dict[str, str]) -> list[Figure]:
    """Failed labs and seconds, of each round."""
    failed = Figure(f"verify-{PEOPLE}-busy-failed", "labs", "lower")
    seconds = Figure(f"verify-{PEOPLE}-busy", "s", "lower")
    # What these users are shown of the machine is shown in a mount namespace of its own.
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "benchmarks.busy", str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    if done.returncode:
        absent["busy"] = done.stderr.strip().splitlines()[-1]
    else:
        failed.values["labctl"], seconds.values["labctl"] = json.loads(done.stdout)
    return [failed, seconds]


def main(rounds: int) -> None:
    """Print the failed labs of each round and its seconds, as JSON. Raise Failed where a lab does not come up."""
    with people(PEOPLE) as all_of_them:
        try:
            if together(all_of_them, "up", "two-site").failed:
                raise Failed("labctl up as an ordinary user")
            ran = [_verify(all_of_them) for _ in range(rounds)]
        finally:
            together(all_of_them, "down", "two-site")
    print(json.dumps([[each.failed for each in ran], [each.seconds for each in ran]]))


def _verify(all_of_them: Sequence[Person]) -> Ran:
    with _overbooked():
        return together(all_of_them, "verify")


@contextmanager
def _overbooked() -> Iterator[None]:
    with ExitStack() as loops:
        for _ in range(OVERBOOKED * len(os.sched_getaffinity(0))):
            loop = loops.enter_context(subprocess.Popen([sys.executable, "-c", SPIN]))
            loops.callback(loop.kill)
        yield


if __name__ == "__main__":
    main(int(sys.argv[1]))
