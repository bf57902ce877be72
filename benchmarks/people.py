"""People who share a machine: ordinary users, each with a rootless lab of their own, who do a thing at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.world import REPOSITORY
from tests.e2e.world import let_users_open_tun, let_users_reach

FIRST_UID = 40000


@dataclass(frozen=True)
class Ran:
    """A command of each person: how many failed, seconds until the last had ended, and of a CPU for all of them."""

    failed: int
    seconds: float
    cpu_seconds: float


class Person:
    """An ordinary user."""

    def __init__(self, uid: int, home: Path) -> None:
        self.uid = uid
        self._home = home

    def start(self, output: IO[bytes], *words: str) -> subprocess.Popen[bytes]:
        """Start labctl as this person."""
        return subprocess.Popen(
            [sys.executable, "-m", "labctl", *words],
            user=self.uid, group=self.uid, extra_groups=[], cwd=self._home,
            env={**os.environ, "HOME": str(self._home), "PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip


@contextmanager
def people(number: int) -> Iterator[list[Person]]:
    """Yield so many people who find what every machine shows its users; call it in a mount namespace of one's own."""
    let_users_reach(REPOSITORY, Path(sys.prefix), Path(sys.base_prefix))
    let_users_open_tun()
    homes = Path(tempfile.mkdtemp())
    homes.chmod(0o755)
    try:
        yield [_settle(uid, homes) for uid in range(FIRST_UID, FIRST_UID + number)]
    finally:
        shutil.rmtree(homes)


def _settle(uid: int, homes: Path) -> Person:
    home = homes / str(uid)
    home.mkdir()
    os.chown(home, uid, uid)
    return Person(uid, home)


def together(group: Sequence[Person], *words: str) -> Ran:
    """Have all run a command at once. What those said that failed goes to standard error."""
    began, failed, cpu = time.monotonic(), 0, 0.0
    with ExitStack() as files:
        outputs = [files.enter_context(tempfile.TemporaryFile()) for _ in group]
        running = [person.start(output, *words) for person, output in zip(group, outputs, strict=True)]
        for process, output in zip(running, outputs, strict=True):
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            cpu += used.ru_utime + used.ru_stime
            if process.returncode:
                failed += 1
                output.seek(0)
                sys.stderr.write(output.read().decode())
    return Ran(failed, time.monotonic() - began, cpu)
