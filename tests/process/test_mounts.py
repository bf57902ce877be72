"""Mount points are names, and names are bytes: none is in the way of what looks at them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labctl.process.child import in_child
from labctl.process.mounts import mounted_in
from labctl.process.syscalls import CLONE_NEWNS, MS_REC, MS_SLAVE, mount, unmount, unshare

NAMES = [b"caf\xe9", "Ü b".encode(), "no-break\u00a0space".encode(), "line\u2028end".encode(), b"a\tb\n\\c#"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_mount_points_of_every_name_are_found_and_unmounted(tmp_path: Path) -> None:
    def look() -> tuple[list[Path], list[Path]]:
        unshare(CLONE_NEWNS)
        mount("", "/", flags=MS_REC | MS_SLAVE)
        for name in NAMES:
            point = tmp_path / os.fsdecode(name)
            point.mkdir()
            mount("", str(point), "tmpfs")
        found = mounted_in(tmp_path)
        for point in found:
            unmount(str(point))
        return found, mounted_in(tmp_path)

    found, left = in_child(look)
    assert sorted(found) == sorted(tmp_path / os.fsdecode(name) for name in NAMES) and left == []
