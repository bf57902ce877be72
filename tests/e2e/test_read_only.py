"""Places where nothing may be written: /proc/sys and /sys, as in a container; HOME and TMPDIR."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from labctl.kernel.sysctls import read
from labctl.plan.settings import BASELINE, BORN_WITH
from labctl.process.syscalls import CLONE_NEWNET, MS_BIND, MS_RDONLY, MS_REC, mount, unmount, unshare
from tests.e2e.labs import PAIR
from tests.e2e.world import World

MS_REMOUNT = 32  # sys/mount.h
FORWARDING = PAIR.replace("  right:\n", "  right:\n    sysctls: {net.ipv4.ip_forward: 1}\n")


@contextmanager
def read_only(here: World, place: str) -> Iterator[None]:
    def bind() -> None:
        mount(place, place, flags=MS_BIND | MS_REC)
        mount("", place, flags=MS_BIND | MS_REMOUNT | MS_RDONLY)

    here.inside(bind)
    try:
        yield
    finally:
        here.inside(lambda: unmount(place))


def inherited(here: World) -> dict[str, str | None]:
    """The settings of a new namespace on this machine that a lab has at 0."""

    def look() -> dict[str, str | None]:
        unshare(CLONE_NEWNET)
        return read(path for path, value in {**BASELINE, **BORN_WITH}.items() if value == "0")

    return here.inside(look)  # type: ignore[no-any-return]


def test_a_setting_that_is_right_already_needs_no_write(as_root: World) -> None:
    if set(inherited(as_root).values()) != {"0"}:
        pytest.skip("a new namespace inherits settings here that a lab has to change")
    with read_only(as_root, "/proc/sys"):
        as_root.labctl("up", as_root.file("pair.yaml", PAIR))
        assert as_root.json("verify")["passed"]
        assert as_root.json("plan", as_root.file("pair.yaml", PAIR))["changes"] == []
        as_root.labctl("down")
        (found,) = (one for one in as_root.json("doctor")["findings"] if one["name"] == "sysctls")
        assert (found["verdict"], found["found"]) == ("note", "/proc/sys is read-only")


def test_a_setting_that_cannot_be_made_is_told_with_the_way_out(as_root: World) -> None:
    with read_only(as_root, "/proc/sys"):
        said = as_root.labctl("up", as_root.file("forwarding.yaml", FORWARDING), code=3).stderr
        what, *rest = said.splitlines()[-3:]
        assert re.fullmatch(r"the setting net/ipv4/\S+ cannot be made (0, it is [1-9]|1, it is 0)", what)
        assert rest == [
            "  /proc/sys: Read-only file system (EROFS)",
            "  → in a container: start it with --privileged; else, as root: mount -o remount,rw /proc/sys",
        ]
        assert as_root.json("list") == []


def test_a_user_who_may_not_see_all_of_proc_is_told_what_hides_it(as_user: World) -> None:
    with read_only(as_user, "/proc/sys"):
        said = as_user.labctl("up", as_user.file("pair.yaml", PAIR), code=3).stderr
        assert "mounts hide part of the machine's own: /proc/sys" in said and "--privileged" in said
        assert len(said.splitlines()) == 3


def test_a_read_only_sys_is_in_nobodys_way(here: World) -> None:
    with read_only(here, "/sys"):
        here.labctl("up", here.file("pair.yaml", PAIR))
        assert here.labctl("exec", "left", "--", "ls", "/sys/class/net").stdout.split() == ["eth0", "lo"]
        here.labctl("down")


def test_home_and_tmpdir_are_needed_for_nothing(here: World) -> None:
    nowhere: dict[str, Any] = {"env": {"HOME": "/nowhere", "TMPDIR": "/proc", "XDG_RUNTIME_DIR": "/proc"}}
    here.labctl("up", here.file("pair.yaml", PAIR), **nowhere)
    here.labctl("verify", **nowhere)
    here.labctl("exec", "left", "--", "true", **nowhere)
    here.labctl("down", **nowhere)
