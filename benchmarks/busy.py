"""How many healthy labs fail `verify` while the machine is busy: thirty people at once, the CPUs overbooked.

Each person is an ordinary user with the two-site lab, as in a workshop. All verify at the same time, beside eight loops
for each CPU that never sleep. What is counted are the labs of which `verify` says anything but that all checks passed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.report import Figure
from benchmarks.world import REPOSITORY, Failed
from tests.e2e.world import let_users_open_tun, let_users_reach

PEOPLE = 30
OVERBOOKED = 8
"""Loops for each CPU."""

FIRST_UID = 40000
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
    """Print the failed labs of each round and its seconds, as JSON."""
    let_users_reach(REPOSITORY, Path(sys.prefix), Path(sys.base_prefix))
    let_users_open_tun()
    failed, seconds = [], []
    with _labs(range(FIRST_UID, FIRST_UID + PEOPLE)) as people:
        for _ in range(rounds):
            with _overbooked():
                began = time.monotonic()
                failed.append(_together(people, "verify"))
                seconds.append(time.monotonic() - began)
    print(json.dumps([failed, seconds]))


class _Person:
    """An ordinary user."""

    def __init__(self, uid: int, home: Path) -> None:
        self.uid = uid
        self._home = home

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "labctl", *words],
            user=self.uid, group=self.uid, extra_groups=[], cwd=self._home,
            env={**os.environ, "HOME": str(self._home), "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip


@contextmanager
def _labs(uids: Sequence[int]) -> Iterator[list[_Person]]:
    """A two-site lab for each user. Raises Failed where one does not come up."""
    home = Path(tempfile.mkdtemp())
    home.chmod(0o755)
    people = [_Person(uid, home) for uid in uids]
    try:
        for person in people:
            with person.start("up", "two-site") as up:
                said, _ = up.communicate()
            if up.returncode:
                raise Failed(f"labctl up as an ordinary user: {said.decode().splitlines()[0]}")
        yield people
    finally:
        _together(people, "down", "two-site")
        shutil.rmtree(home)


def _together(people: Sequence[_Person], *words: str) -> int:
    """Have all run a command at once; gives how many failed. What those said goes to standard error."""
    running = [person.start(*words) for person in people]
    failed = 0
    for process in running:
        said, _ = process.communicate()
        if process.returncode:
            failed += 1
            sys.stderr.write(said.decode())
    return failed


@contextmanager
def _overbooked() -> Iterator[None]:
    with ExitStack() as loops:
        for _ in range(OVERBOOKED * len(os.sched_getaffinity(0))):
            loop = loops.enter_context(subprocess.Popen([sys.executable, "-c", SPIN]))
            loops.callback(loop.kill)
        yield


if __name__ == "__main__":
    main(int(sys.argv[1]))
