"""A wheel has the core for the kind of machine that its tag says, needs no newer libc, and is the same each time."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.e2e.world import REPO

MACHINES = {"x86_64": 62, "aarch64": 183}
"""The kinds of machines, with what the header of an ELF file calls them (elf.h, e_machine)."""

GLIBC = (2, 17)
"""What the tag promises (PEP 600): the library asks for no symbol of a later one."""


def built(machine: str, into: Path) -> Path:
    """Build a wheel as `make wheels` does. Return its file."""
    environment = {
        **os.environ,
        "CC": f"{machine}-linux-gnu-gcc",
        "_PYTHON_HOST_PLATFORM": f"manylinux_{GLIBC[0]}_{GLIBC[1]}_{machine}",
    }
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into)]
    subprocess.run(words, check=True, cwd=REPO, env=environment, capture_output=True)
    (wheel,) = into.glob(f"*-py3-none-manylinux_2_17_{machine}.whl")
    return wheel


@pytest.mark.parametrize("machine", MACHINES)
def test_a_wheel_is_what_its_tag_says_and_is_made_again_the_same(machine: str, tmp_path: Path) -> None:
    if not shutil.which(f"{machine}-linux-gnu-gcc"):
        assert "CI" not in os.environ, "CI has compilers for both"
        pytest.skip(f"no {machine}-linux-gnu-gcc")
    wheel = built(machine, tmp_path / "first")
    library = zipfile.ZipFile(wheel).read("labctl/engine/core/libcommonway.so.1")
    assert library[:4] == b"\x7fELF" and int.from_bytes(library[18:20], "little") == MACHINES[machine]
    asked = {tuple(map(int, found.split(b"."))) for found in re.findall(rb"GLIBC_([0-9.]+)", library)}
    assert asked and max(asked) <= GLIBC
    assert built(machine, tmp_path / "again").read_bytes() == wheel.read_bytes()
