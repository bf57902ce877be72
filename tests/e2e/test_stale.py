"""State that lies: of another boot, with the PID of somebody else, or planted by somebody. Nobody is harmed by it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from labctl.engine.packets.address import Address
from labctl.kernel.namespaces import DIRECTORY
from labctl.lab.run_directory import ROOT
from labctl.plan.engine_spec import EngineSpec
from labctl.process.processes import start_time
from labctl.process.syscalls import CLONE_NEWNET, unmount, unshare
from labctl.topology.interface_ref import InterfaceRef
from tests.e2e.labs import PAIR
from tests.e2e.world import World

BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
ENGINE = EngineSpec(InterfaceRef("left", "tun0"), Address("192.0.2.1", 9000), Address("192.0.2.2", 9000))


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
        {"engine": asdict(ENGINE), "pid": stranger.pid, "started": started - older, "files": {}},
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


def test_twenty_environments_of_one_user_at_once(as_user: World) -> None:
    file = as_user.file("pair.yaml", PAIR)
    started = [
        as_user.start_labctl("up", file, "--name", f"lab{number}", stdout=subprocess.DEVNULL) for number in range(20)
    ]
    assert [process.wait(60) for process in started] == [0] * 20
    assert len(as_user.json("list")) == 20
    assert as_user.json("verify", "-l", "lab7")["passed"]
    as_user.labctl("down", "--all")
    assert as_user.json("list") == []


def test_names_that_outlived_a_reboot_go_with_their_lab(as_root: World) -> None:
    before = as_root.snapshot()

    def plant() -> None:
        """What is left where /run is kept: the files onto which the namespaces were mounted."""
        (ROOT / "pair").mkdir(mode=0o700, parents=True)
        ROOT.chmod(0o700)
        entries = [
            {"begin": {"mode": "root", "boot": "another-boot", "mark": "labctl: pair 0"}},
            *({"namespace": name, "device": 4, "inode": 1, "mark": "labctl: pair 0"} for name in ("left", "right")),
            {"complete": True},
        ]
        (ROOT / "pair/journal").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
        (ROOT / ".netns").write_text("absent")
        DIRECTORY.mkdir()
        (DIRECTORY / "left").touch()
        (DIRECTORY / "right").touch()

    as_root.inside(plant)
    assert "namespace left, namespace right" in as_root.labctl("down").stdout
    assert as_root.snapshot() == before
    as_root.inside(plant)
    as_root.labctl("up", as_root.file("pair.yaml", PAIR))
    assert as_root.json("verify")["passed"]
    as_root.labctl("down")


def test_a_namespace_that_lost_its_mount_is_told_and_made_again(as_root: World) -> None:
    as_root.labctl("up", "two-site")
    as_root.inside(lambda: unmount("/run/netns/siteA"))
    said = as_root.labctl("verify", code=2).stderr
    assert "namespace siteA is gone" in said and len(said.splitlines()) <= 3
    assert as_root.json("status")["namespaces"]["siteA"] is None
    as_root.labctl("up", "two-site")
    assert as_root.json("verify")["passed"]
    as_root.labctl("down")


def test_an_empty_file_that_was_never_this_labs_is_left_alone(as_root: World) -> None:
    as_root.labctl("up", as_root.file("pair.yaml", PAIR))
    as_root.inside(lambda: (DIRECTORY / "siteA").touch())
    assert "siteA exists already" in as_root.labctl("up", "two-site", code=2).stderr
    as_root.labctl("down")
    assert as_root.inside(lambda: (DIRECTORY / "siteA").exists())
    as_root.inside(lambda: (DIRECTORY / "siteA").unlink())
    as_root.run("sh", "-c", "umount --internal-only --no-mtab /run/netns && rmdir /run/netns")


def test_whatever_the_umask_the_state_is_for_its_owner(as_root: World) -> None:
    as_root.labctl("up", as_root.file("pair.yaml", PAIR), before=lambda: os.umask(0) and None)
    assert as_root.inside(lambda: [path.stat().st_mode & 0o777 for path in (ROOT, ROOT / "pair")]) == [0o700, 0o700]
    as_root.labctl("down")


def others_may_write() -> None:
    ROOT.chmod(0o777)


def it_is_somebody_elses() -> None:
    os.chown(ROOT, 65534, 65534)


def a_lab_is_somebody_elses() -> None:
    os.chown(ROOT / "pair", 65534, 65534)


@pytest.mark.parametrize("planted", [others_may_write, it_is_somebody_elses, a_lab_is_somebody_elses])
def test_what_another_user_may_have_written_is_refused(as_root: World, planted: Callable[[], None]) -> None:
    pair = as_root.file("pair.yaml", PAIR)
    as_root.labctl("up", pair)
    as_root.inside(planted)
    for words in (["status"], ["up", pair], ["down"], ["down", "--all"]):
        said = as_root.labctl(*words, code=3).stderr
        assert "refusing untrusted directory" in said and len(said.splitlines()) <= 3, said

    def put_right() -> None:
        for path in (ROOT, ROOT / "pair"):
            os.chown(path, 0, 0)
            path.chmod(0o700)

    as_root.inside(put_right)
    assert as_root.json("verify")["passed"]
    as_root.labctl("down")


def test_what_root_has_recorded_is_not_a_users_concern(as_user: World) -> None:
    def plant() -> None:
        (ROOT / "pair").mkdir(mode=0o700, parents=True)
        (ROOT / "pair/journal").touch()
        ROOT.chmod(0o700)

    as_user.inside(plant)
    assert "steps to do" in as_user.labctl("plan", as_user.file("pair.yaml", PAIR), code=1).stdout
    as_user.labctl("up", as_user.file("pair.yaml", PAIR))
    as_user.labctl("down")
    as_user.inside(lambda: shutil.rmtree(ROOT))


@pytest.mark.parametrize("words", [["down"], ["down", "two"], ["down", "--all"]], ids=" ".join)
def test_a_state_that_was_only_begun_is_taken_away(as_root: World, words: list[str]) -> None:
    before = as_root.snapshot()

    def plant() -> None:
        ROOT.mkdir(mode=0o700)
        (ROOT / "two").mkdir(mode=0o700)

    as_root.inside(plant)
    as_root.labctl(*words)
    assert as_root.snapshot() == before


def test_a_lab_may_be_called_like_a_directory_of_the_system(here: World) -> None:
    for name in ("netns", "journal", "engines"):
        here.labctl("up", here.file("pair.yaml", PAIR), "--name", name)
    assert len(here.json("list")) == 3
    here.labctl("down", "--all")
