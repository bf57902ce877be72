"""Removing what labctl has kept: never what is mounted in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labctl.process.child import in_child
from labctl.process.disk import remove
from labctl.process.mounts import mounted_in
from labctl.process.syscalls import CLONE_NEWNS, CLONE_NEWUSER, MS_BIND, MS_REC, MS_SLAVE, mount, unshare


def alone() -> None:
    """Bring this process into a mount namespace of its own, with the rights to mount in it."""
    unshare(CLONE_NEWNS | (CLONE_NEWUSER if os.geteuid() else 0))
    mount("", "/", flags=MS_REC | MS_SLAVE)


@pytest.mark.parametrize("name", ["own", "two words", "back\\slash"])
def test_what_is_mounted_in_a_directory_outlives_it(tmp_path: Path, name: str) -> None:
    machines, ours = tmp_path / "machines", tmp_path / "ours"
    (machines / "etc").mkdir(parents=True)
    (machines / "etc" / "passwd").write_text("root")
    (ours / name / "below").mkdir(parents=True)

    def work() -> list[Path]:
        alone()
        mount(str(machines), str(ours / name), flags=MS_BIND)
        mount(str(machines), str(ours / name / "etc"), flags=MS_BIND)
        found = mounted_in(ours)
        remove(ours)
        return found

    assert in_child(work) == [ours / name / "etc", ours / name]
    assert (machines / "etc" / "passwd").read_text() == "root"
    assert not ours.exists()


def test_a_directory_that_something_is_mounted_on_is_removed(tmp_path: Path) -> None:
    def work() -> None:
        alone()
        mount(str(tmp_path / "machines"), str(tmp_path / "ours"), flags=MS_BIND)
        remove(tmp_path / "ours")

    for each in ("machines", "ours"):
        (tmp_path / each).mkdir()
    (tmp_path / "machines" / "kept").touch()
    in_child(work)
    assert (tmp_path / "machines" / "kept").exists() and not (tmp_path / "ours").exists()
