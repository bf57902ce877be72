"""A fault at every step, one after the other: nothing is left behind, and nothing is in the way of the next `up`."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from labctl.process.syscalls import mount
from tests.e2e import fault
from tests.e2e.fault import CHANGING, PAST
from tests.e2e.processes import orphans_are_ours
from tests.e2e.world import DEADLINE, REPO, World
from tests.engine.world import wait_for

MS_RDONLY, MS_REMOUNT = 1, 32  # sys/mount.h

SMALL = """\
name: small
namespaces:
  host:
    interfaces:
      dummy0: {kind: dummy, addresses: [10.0.1.1/24]}
      tun0: {kind: tun, addresses: [10.0.101.1/24]}
    routes: [{to: 10.9.0.0/16, dev: tun0}]
    masquerade: dummy0
    neighbours: [{to: 10.0.1.9, lladdr: "02:00:00:00:00:09", dev: dummy0}]
ttun:
  - {device: "host:tun0", bind: "10.0.1.1:9000", peer: "10.0.1.2:9000"}
checks:
  - {name: own, ping: {from: host, to: 10.0.101.1, count: 1}, quiet: ["host:tun0"]}
"""
if shutil.which("nft") or os.environ.get("CI"):
    SMALL = SMALL.replace("    masquerade:", '    nft: "table inet own"\n    masquerade:')


def run_with_fault(here: World, number: int, how: str, *words: str) -> tuple[int, str]:
    """Run labctl with a fault at a step; its exit code and what it said."""
    process = here.start_forked(
        partial(fault.command, number, how, words),
        ["labctl", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    _, said = process.communicate(timeout=DEADLINE)
    return process.returncode, said


def is_back(here: World, before: dict[str, Any], number: int) -> None:
    assert (number, here.snapshot_when(before)) == (number, before)


def an_environment_stays(here: World) -> bool:
    """Whether there is one that has not ended a while after its command was killed, as one does that may not stay."""
    with suppress(AssertionError):
        wait_for(lambda: not here.snapshot()["environments"], "it ends", 5)
    return bool(here.snapshot()["environments"])


@pytest.mark.timeout(600)
@orphans_are_ours()
def test_up_killed_at_every_step(here: World) -> None:
    """As root the next command puts it right; a rootless environment ends by itself, unless it was told to stay."""
    file = here.file("small.yaml", SMALL)
    before = here.snapshot()
    kept = 0
    for number in itertools.count(1):
        code, said = run_with_fault(here, number, "kill", "up", file)
        if PAST in said:
            break
        assert code == -signal.SIGKILL, (number, code, said)
        stays = here.is_root or an_environment_stays(here)
        if not stays:
            is_back(here, before, number)
        kept += stays and not here.is_root
        if number % 4 == 0:
            here.labctl("up", file)
            assert here.json("verify")["passed"]
        if stays or number % 4 == 0:
            here.labctl("down", "small")
            is_back(here, before, number)
    assert number > 40, "the steps are not seen any more"
    assert kept <= 2, "an environment stayed that was not told to"
    here.labctl("down")


def test_down_killed_at_every_step(here: World) -> None:
    file = here.file("small.yaml", SMALL)
    before = here.snapshot()
    for number in itertools.count(1):
        here.labctl("up", file)
        code, said = run_with_fault(here, number, "kill", "down", "small")
        assert code in (0, -signal.SIGKILL), said
        here.labctl("down", "small")
        is_back(here, before, number)
        if PAST in said:
            break
    assert number > 5, "the steps are not seen any more"


def every_fault_of_up(here: World, how: str) -> Iterator[tuple[int, int, str]]:
    """`up` with each fault of a kind, one after the other: its number, the exit code, what was said.

    After each, all is as it was before; at the end, a lab that no fault was left for has gone up and down.
    """
    file = here.file("small.yaml", SMALL)
    before = here.snapshot()
    for number in itertools.count(1):
        code, said = run_with_fault(here, number, how, "up", file)
        if PAST in said:
            break
        yield number, code, said
        is_back(here, before, number)
    here.labctl("down")


def test_the_kernel_refuses_every_step(here: World) -> None:
    number = 0
    for number, code, said in every_fault_of_up(here, "refuse"):  # noqa: B007  # the last one counts, too
        assert code == 4 and "as the test wants it" in said and len(said.splitlines()) <= 3, said
    assert number >= 12, "the steps are not seen any more"


def test_the_kernel_denies_every_call_that_is_no_step(here: World) -> None:
    """Forks, pipes, mounts, namespaces: each is refused once, and told as what it is or done without."""
    number = 0
    for number, code, said in every_fault_of_up(here, "deny"):
        if code == 0:
            here.labctl("down")
        else:
            assert code in (3, 4) and "Cannot allocate memory (ENOMEM)" in said and len(said.splitlines()) <= 3, (
                number,
                code,
                said,
            )
    assert number >= 8, "the calls are not seen any more"


def test_every_process_that_up_starts_ends_at_its_birth(here: World) -> None:
    number = 0
    for number, code, said in every_fault_of_up(here, "bereave"):
        assert code and "ended" in said and "labctl itself" not in said and len(said.splitlines()) <= 3, (number, said)
    assert number >= (1 if here.is_root else 5), "the forks are not seen any more"


@pytest.mark.parametrize("words", [["up", "small.yaml"], ["down", "small"]], ids=lambda words: words[0])
def test_interrupted_at_every_step(here: World, words: list[str]) -> None:
    """Ctrl-C takes `up` back; `down` may be left to the next one."""
    file = here.file("small.yaml", SMALL)
    before = here.snapshot()
    for number in itertools.count(1):
        if words[0] == "down":
            here.labctl("up", file)
        code, said = run_with_fault(here, number, "interrupt", words[0], file if words[0] == "up" else words[1])
        assert code in (0, 128 + signal.SIGINT) and "Traceback" not in said, (number, code, said)
        if PAST in said:
            break
        if code == 0 or words[0] == "down":
            here.labctl("down", "small")
        is_back(here, before, number)
    assert number > 5, "the steps are not seen any more"
    here.labctl("down")


FOLDERS = ("lab", "engines", "kernel", "process", "rootless")
FULL = [*(f"size={pages * 4096}" for pages in range(1, 6)), *(f"nr_inodes={number}" for number in range(2, 13))]


@pytest.mark.parametrize("options", ["ro", *FULL])
def test_a_state_directory_that_takes_nothing_more(as_root: World, options: str) -> None:
    read_only = MS_RDONLY if options == "ro" else 0
    before = as_root.snapshot()
    as_root.inside(lambda: mount("", "/run", flags=MS_REMOUNT | read_only, data="" if read_only else options))
    done = as_root.labctl("up", as_root.file("small.yaml", SMALL), code=None)
    if done.returncode == 0:
        as_root.labctl("down")
    else:
        assert done.returncode in (3, 4) and len(done.stderr.splitlines()) <= 3, done.stderr
        assert ("Read-only file system" if read_only else "No space left on device") in done.stderr
    assert as_root.snapshot() == before


def test_the_functions_that_are_counted_as_steps_are_there() -> None:
    """One that was renamed or moved would be no step any more, and nobody would notice."""
    for file, names in CHANGING.items():
        (text,) = [path.read_text() for path in (REPO / "labctl").rglob(file) if path.parent.name in FOLDERS]
        for name in names:
            assert f"def {name}(" in text, f"{file} has no {name}"
