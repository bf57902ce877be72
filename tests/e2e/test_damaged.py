"""State that is damaged, or is not what it should be: what can be read still counts, and no other lab is in its way."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from labctl.engine.packets.address import Address
from labctl.kernel.namespaces import DIRECTORY
from labctl.lab.run_directory import ROOT
from labctl.plan.engine_spec import EngineSpec
from labctl.topology.interface_ref import InterfaceRef
from tests.e2e.labs import PAIR, tunnel
from tests.e2e.world import World

LAB = ROOT / "tunnel"
JOURNAL = LAB / "journal"


def as_line(entry: object) -> bytes:
    return json.dumps(entry).encode() + b"\n"


SPEC = asdict(EngineSpec(InterfaceRef("siteA", "tun9"), Address("192.0.2.1", 9), Address("192.0.2.2", 9)))
ENGINE = {"engine": SPEC, "pid": 1, "started": 1, "files": {}}
SPACE = {"namespace": "ghost", "device": 4, "inode": 1, "mark": "labctl: ghost 0"}
DAMAGE = {
    "random bytes": bytes(range(128, 256)),
    "not an object": b"[]\n7\nnull\n",
    "too deep": b"[" * 100_000 + b"\n",
    "a substitution of something else": as_line({"substitution": {"a": 1}}),
    "PID 0": as_line({**ENGINE, "pid": 0}),
    "PID -1": as_line({**ENGINE, "pid": -1}),
    "a huge PID": as_line({**ENGINE, "pid": 1 << 40}),
    "a PID that is none": as_line({**ENGINE, "pid": "1"}),
    "NUL in a namespace": as_line({**SPACE, "namespace": "a\0b"}),
    "a namespace elsewhere": as_line({**SPACE, "namespace": "../../etc/x"}),
    "a namespace of half a character": as_line({**SPACE, "namespace": "\ud800"}),
    "a long namespace": as_line({**SPACE, "namespace": "x" * 300}),
    "a namespace without a number": as_line({**SPACE, "inode": None}),
    "NUL in a device": as_line({**ENGINE, "engine": {**SPEC, "device": ["a", "\0"]}}),
    "an engine without a peer": as_line({**ENGINE, "engine": {**SPEC, "peer": None}}),
    "an engine with half an impairment": as_line({**ENGINE, "engine": {**SPEC, "impair": {"jitter": 1}}}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_line_that_cannot_be_read_is_passed_over(as_root: World, damage: str) -> None:
    file = as_root.file("tunnel.yaml", tunnel())
    as_root.labctl("up", file)

    def append() -> None:
        with JOURNAL.open("ab") as journal:
            journal.write(DAMAGE[damage])

    as_root.inside(append)
    assert [lab["complete"] for lab in as_root.json("list")] == [True]
    assert len(as_root.json("status")["engines"]) == 2
    assert as_root.json("verify")["passed"]
    assert as_root.json("up", file)["changes"] == []
    as_root.labctl("down")


def a_directory(path: Path) -> None:
    path.mkdir()


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


def a_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


@pytest.mark.parametrize("instead", [a_directory, a_fifo, a_link])
def test_a_journal_that_is_no_file_is_told_and_in_no_other_labs_way(
    as_root: World, instead: Callable[[Path], None]
) -> None:
    pair = as_root.file("pair.yaml", PAIR)
    as_root.labctl("up", pair)

    def plant() -> None:
        (ROOT / "odd").mkdir(mode=0o700)
        instead(ROOT / "odd/journal")

    as_root.inside(plant)
    assert {lab["lab"]: lab["complete"] for lab in as_root.json("list")} == {"odd": False, "pair": True}
    as_root.labctl("verify", "-l", "pair")
    for words in (["status", "odd"], ["down", "odd"], ["up", pair, "--name", "odd"], ["down", "--all"]):
        said = as_root.labctl(*words, code=3).stderr
        assert f"{ROOT}/odd/journal" in said and "no plain file" in said and len(said.splitlines()) <= 3
    assert [lab["lab"] for lab in as_root.json("list")] == ["odd"]
    as_root.inside(lambda: shutil.rmtree(ROOT / "odd"))
    as_root.labctl("down")


def engines_are_a_file() -> None:
    shutil.rmtree(LAB / "engines")
    (LAB / "engines").touch()


def the_topology_is_a_directory() -> None:
    (LAB / "topology.json").unlink()
    (LAB / "topology.json").mkdir()


ODD: dict[str, Callable[[], object]] = {
    "topology.json is a directory": the_topology_is_a_directory,
    "topology.json is binary": lambda: (LAB / "topology.json").write_bytes(bytes(range(256))) and None,
    "engines is a file": engines_are_a_file,
    "engines is gone": lambda: shutil.rmtree(LAB / "engines"),
    "a directory among the engines": lambda: (LAB / "engines/odd/more").mkdir(parents=True),
    "an emptied counter": lambda: os.truncate(LAB / "engines/siteA:tun0.counters", 0),
    "how the names were found is binary": lambda: (ROOT / ".netns").write_bytes(b"\xff\xfe") and None,
}


@pytest.mark.parametrize("odd", ODD)
def test_a_lab_with_odd_files_can_be_looked_at_and_taken_down(as_root: World, odd: str) -> None:
    as_root.labctl("up", as_root.file("tunnel.yaml", tunnel()))
    as_root.inside(ODD[odd])
    assert len(as_root.json("list")) == 1
    done = as_root.labctl("status", code=None)
    if "topology" in odd:
        assert done.returncode == 3 and f"{LAB}/topology.json" in done.stderr and len(done.stderr.splitlines()) <= 3
    else:
        assert done.returncode == 0
    as_root.labctl("down")
    as_root.inside(lambda: DIRECTORY.rmdir() if DIRECTORY.exists() else None)  # no record says whether it was there


def test_up_writes_a_damaged_topology_anew(here: World) -> None:
    file = here.file("tunnel.yaml", tunnel())
    here.labctl("up", file)
    here.labctl("exec", "siteA", "--", "sh", "-c", f"echo garbage > {LAB}/topology.json")
    assert here.labctl("status", code=3).stderr.startswith("the state of the lab cannot be read")
    here.labctl("up", file)
    here.labctl("status")
    here.labctl("down")


def test_a_fifo_in_the_place_of_a_namespace_is_left_alone(as_root: World) -> None:
    file = as_root.file("tunnel.yaml", tunnel())
    as_root.labctl("up", file)
    as_root.run("ip", "netns", "del", "siteA")
    as_root.inside(lambda: os.mkfifo(DIRECTORY / "siteA"))
    assert as_root.json("status")["namespaces"]["siteA"] is None
    assert "siteA is gone" in as_root.labctl("verify", code=2).stderr
    assert "siteA exists already" in as_root.labctl("up", file, code=2).stderr
    as_root.labctl("down")
    assert as_root.inside(lambda: (DIRECTORY / "siteA").is_fifo())
    as_root.inside(lambda: (DIRECTORY / "siteA").unlink())
    as_root.run("sh", "-c", "umount --internal-only --no-mtab /run/netns && rmdir /run/netns")


def test_what_cannot_be_read_of_labs_that_have_ended_is_in_no_ones_way(as_root: World) -> None:
    for name in ("one", "two"):
        as_root.labctl("up", as_root.file("pair.yaml", PAIR), "--name", name)
        as_root.inside((ROOT / name / "ended").mkdir)
    as_root.labctl("down", "one")
    as_root.labctl("down", "twoo", code=2)
    as_root.labctl("down", "two")
    assert as_root.json("list") == []
