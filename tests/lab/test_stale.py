"""State that lies: of another boot, with the PID of somebody else, or planted by somebody. Nobody is harmed by it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from labctl.kernel.syscalls import CLONE_NEWNET, unshare
from labctl.lab.processes import start_time
from labctl.lab.state import ROOT
from tests.lab.labs import PAIR
from tests.lab.world import World

BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@pytest.mark.parametrize(
    ("boot", "older"), [("another-boot", 0), (BOOT, 1)], ids=["of an earlier boot", "with a PID that was given again"]
)
def test_a_stranger_with_the_pid_of_an_engine_lives_on(as_root: World, boot: str, older: int) -> None:
    """And so it does in a namespace that has the number of one of the lab."""
    before = as_root.snapshot()
    stranger = as_root.start(["sleep", "1000"], before=lambda: unshare(CLONE_NEWNET))
    started = start_time(stranger.pid)
    assert started is not None
    its = Path(f"/proc/{stranger.pid}/ns/net").stat()
    entries = [
        {"begin": {"mode": "root", "boot": boot, "mark": "labctl: ghost 0"}},
        {"namespace": "left", "device": its.st_dev, "inode": its.st_ino, "mark": "labctl: ghost 0"},
        {"engine": "left:tun0", "command": "ttun", "pid": stranger.pid, "started": started - older},
        {"complete": True},
    ]

    def plant() -> None:
        (ROOT / "ghost/engines").mkdir(parents=True)
        (ROOT / "ghost/journal").write_text("".join(json.dumps(entry) + "\n" for entry in entries))

    as_root.inside(plant)
    assert as_root.json("list")[0]["lab"] == "ghost"
    as_root.labctl("down", "ghost")
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
    assert as_root.snapshot() == before


def test_a_link_in_the_place_of_the_engines_leads_to_no_deletion(as_root: World) -> None:
    as_root.labctl("up", as_root.file("pair.yaml", PAIR))
    precious = as_root.file("precious.txt", "somebody else's")

    def plant() -> None:
        (ROOT / "pair/engines").rmdir()
        (ROOT / "pair/engines").symlink_to(as_root.home)

    as_root.inside(plant)
    as_root.labctl("down")
    assert Path(precious).read_text() == "somebody else's"


def test_a_link_in_the_place_of_a_lab_is_told_and_left_alone(as_root: World) -> None:
    before = as_root.snapshot()

    def plant() -> None:
        ROOT.mkdir()
        (ROOT / "pair").symlink_to(as_root.home)

    as_root.inside(plant)
    said = as_root.labctl("up", as_root.file("pair.yaml", PAIR), code=2).stderr
    assert "symbolic link" in said and len(said.splitlines()) <= 3
    assert as_root.json("list") == []
    assert "nothing to do" in as_root.labctl("down", "pair").stdout
    as_root.inside(lambda: (ROOT / "pair").unlink())
    as_root.labctl("down")
    assert as_root.snapshot() == before


def test_twenty_rooms_of_one_user_at_once(as_user: World) -> None:
    file = as_user.file("pair.yaml", PAIR)
    started = [
        as_user.start(as_user.command("up", file, "--name", f"lab{number}"), stdout=subprocess.DEVNULL)
        for number in range(20)
    ]
    assert [process.wait(60) for process in started] == [0] * 20
    assert len(as_user.json("list")) == 20
    assert as_user.json("verify", "-l", "lab7")["passed"]
    as_user.labctl("down", "--all")
    assert as_user.json("list") == []
