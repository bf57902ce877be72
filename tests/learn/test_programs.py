"""A program that a lesson needs and that is missing is told with what helps."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from labctl.errors import MachineError
from labctl.learn.programs import refuse_without


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of one directory, on a machine where root has no other."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python"))
    for name in ("bin", "venv"):
        (tmp_path / name).mkdir()
    return tmp_path


def program(path: Path) -> None:
    path.write_text("")
    path.chmod(0o755)


def test_what_is_there_is_enough(path: Path) -> None:
    program(path / "bin" / "ping")
    refuse_without(["ping"])


def test_what_is_missing_is_told_with_its_package(path: Path) -> None:
    with pytest.raises(MachineError) as raised:
        refuse_without(["mtr", "labctl-has-none"])
    assert raised.value.what == "the lesson needs mtr and labctl-has-none"
    assert raised.value.hint == "apt install mtr-tiny; install labctl-has-none"


def test_what_is_not_in_path_is_told_with_where_it_is(path: Path) -> None:
    program(path / "venv" / "ttun")
    with pytest.raises(MachineError) as raised:
        refuse_without(["ttun", "mtr"])
    assert raised.value.hint == f'export PATH="$PATH:{path / "venv"}"'
