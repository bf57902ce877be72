"""In a lab that was named with --name its own prefix may be left out of every name that is typed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.labs import PAIR, tunnel
from tests.e2e.world import DEADLINE, World

SPELLINGS = ["mine-siteA", "siteA"]


@pytest.fixture
def mine(here: World) -> Iterator[World]:
    """The tunnel of the README as lab `mine`."""
    here.labctl("up", here.file("tunnel.yaml", tunnel()), "--name", "mine")
    yield here
    here.labctl("down")


@pytest.fixture
def among_others(mine: World) -> Iterator[World]:
    """The same beside another lab."""
    mine.labctl("up", mine.file("pair.yaml", PAIR))
    yield mine
    mine.labctl("down", "pair")


def test_what_mends_a_lab_names_it_too(mine: World) -> None:
    mine.labctl("exec", "siteB", "--", "ip", "link", "set", "tun1", "down")
    mended = "labctl up tunnel.yaml --name mine"
    assert mended in mine.labctl("status").stdout
    verified = mine.labctl("verify", code=1).stdout
    assert f"do     {mended}" in verified and f"{mended} mends them" in verified, verified


def completed(here: World, *words: str) -> set[str]:
    asked = {
        "_LABCTL_COMPLETE": "bash_complete",
        "COMP_WORDS": f"labctl {' '.join(words)}",
        "COMP_CWORD": str(len(words)),
    }
    return {line.partition(",")[2] for line in here.labctl(code=None, env=asked).stdout.splitlines()}


@pytest.mark.parametrize("space", SPELLINGS)
def test_a_namespace_an_interface_and_an_engine_are_found_in_every_command(mine: World, space: str) -> None:
    assert "10.0.101.1" in mine.labctl("exec", space, "--", "ip", "address").stdout
    assert mine.labctl("shell", space, say="exit 7\n", env={"SHELL": "/bin/sh"}, code=7)
    assert mine.labctl("logs", f"{space}:tun0").stdout
    assert "mine-siteA:tun0" in mine.labctl("restart", f"{space}:tun0").stdout
    assert mine.json("restart", f"{space}:tun0")["engines"][0]["device"] == "mine-siteA:tun0"
    for interface in ("tun0", "wan0"):
        assert mine.labctl("impair", f"{space}:{interface}", "--show").stdout.startswith(f"mine-siteA:{interface} out")
        assert mine.json("impair", f"{space}:{interface}", "--show")["device"] == f"mine-siteA:{interface}"
    assert mine.json("verify", "across")["passed"]
    capture = ("capture", f"{space}:tun0", "--count", "1")
    with mine.start_labctl(*capture, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watching:
        assert watching.stderr and "watching" in watching.stderr.readline()
        mine.labctl("exec", space, "--", "ping", "-c", "1", "10.0.102.1")
        assert "ICMP echo request" in watching.communicate(timeout=DEADLINE)[0]


@pytest.mark.parametrize("space", SPELLINGS)
def test_among_several_labs_it_says_which_one_is_meant(among_others: World, space: str) -> None:
    among_others.labctl("exec", space, "--", "true")
    among_others.labctl("exec", "mine", space, "--", "true")
    among_others.labctl("logs", f"{space}:tun0")
    among_others.labctl("restart", f"{space}:tun0")
    among_others.labctl("impair", f"{space}:tun0", "--show")


@pytest.mark.parametrize("words", [["logs"], ["restart"], ["impair", "--show"], ["capture"]], ids=lambda it: it[0])
def test_a_name_that_is_in_neither_spelling_is_told_with_those_that_are(mine: World, words: list[str]) -> None:
    said = mine.labctl(*words, "siteC:tun0", code=2).stderr
    assert "'siteC:tun0'" in said and "mine-siteA" in said and len(said.splitlines()) <= 3


def test_completion_offers_both_spellings(among_others: World) -> None:
    here = among_others
    assert completed(here, "exec", "-l", "mine", "") == {"mine-siteA", "mine-siteB"}
    assert completed(here, "exec", "-l", "mine", "si") == {"siteA", "siteB"}
    assert completed(here, "impair", "mine", "siteA") == {"siteA:tun0"}
    assert completed(here, "logs", "mine", "mine-siteB") == {"mine-siteB:tun1"}
    assert completed(here, "restart", "siteA:tun0", "siteB") == {"siteB:tun1"}
    assert completed(here, "capture", "mine", "siteB") == {"siteB", "siteB:tun1"}
    assert completed(here, "shell", "mine", "siteB") == {"siteB"}
    assert completed(here, "verify", "mine", "") == {"across"}
