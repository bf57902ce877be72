"""`verify --system-tools`: the ping and nc of the machine, whichever of the three programs called nc it has."""

from __future__ import annotations

import shutil

import pytest

from tests.lab.labs import PAIR
from tests.lab.world import World


def path_with(here: World, **programs: str) -> dict[str, str]:
    """A PATH on which there is nothing but these, each by the name given."""
    folder = here.home / "bin"
    folder.mkdir()
    for name, program in programs.items():
        found = shutil.which(program)
        assert found, f"{program} is needed by the tests (.ci/run installs it)"
        (folder / name).symlink_to(found)
    return {"PATH": str(folder)}


@pytest.mark.parametrize("netcat", ["nc.openbsd", "nc.traditional", "ncat"])
def test_each_of_the_three_netcats_proves_the_lab(here: World, netcat: str) -> None:
    environment = path_with(here, ping="ping", nc=netcat)
    here.labctl("up", "two-site")
    here.labctl("verify", "--system-tools", env=environment)
    here.labctl("down")


@pytest.mark.parametrize(
    ("missing", "there", "package"), [("nc", "ping", "netcat-openbsd"), ("ping", "nc", "iputils-ping")]
)
def test_a_missing_tool_is_named_with_its_package(here: World, missing: str, there: str, package: str) -> None:
    environment = path_with(here, **{there: there})
    here.labctl("up", "two-site")
    said = here.labctl("verify", "--system-tools", code=3, env=environment).stderr
    assert f"no {missing} " in said and package in said and len(said.splitlines()) <= 3
    here.labctl("down")


def test_without_the_option_no_tool_is_needed(here: World) -> None:
    empty = path_with(here)
    file = here.file("pair.yaml", PAIR)
    for words in (["up", file], ["verify"], ["status"], ["down"]):
        here.labctl(*words, env=empty)


def test_the_command_that_is_shown_is_what_a_person_can_type(here: World) -> None:
    here.labctl("up", "two-site")
    starter = here.home / "labctl"
    starter.write_text('#!/bin/sh\nexec "$LABCTL_PYTHON" -m labctl "$@"\n')
    starter.chmod(0o755)
    environment = {"PATH": f"{here.home}:/usr/sbin:/usr/bin:/sbin:/bin", "LABCTL_PYTHON": here.command()[0]}
    checks = here.json("verify")["checks"]
    ping = next(check["command"] for check in checks if check["name"] == "ping-across-a-to-b")
    assert "3 received" in here.run("sh", "-c", ping, env=environment).stdout
    here.labctl("down")
