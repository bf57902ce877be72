"""Progress is kept as it is, and what is damaged or of another lesson is begun anew."""

from __future__ import annotations

import errno
import fcntl
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.errors import MachineError
from labctl.learn.progress import Folder, begun


def test_progress_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "deep" / "below")
    progress = begun("tun", 7, "two-site", ["one", "two"])
    progress = replace(progress, step=1, since=12.5, lab_id="mark")
    progress = progress.with_current(replace(progress.current, hints=2, reached=("a",), predicted="yes"))
    folder.write(progress)
    assert folder.read("tun") == progress and [path.name for path in folder.path.iterdir()] == ["tun.json"]
    folder.forget("tun")
    assert folder.read("tun") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", "null", '{"steps": []}', '{"steps": [{"name": 1}], "of": 1}', "\0" * 9]
)
def test_what_is_damaged_is_no_progress(tmp_path: Path, text: str) -> None:
    (tmp_path / "tun.json").write_text(text)
    assert Folder(tmp_path).read("tun") is None


def test_a_lesson_with_other_steps_is_another_one() -> None:
    progress = begun("tun", 7, "two-site", ["one", "two"])
    assert progress.fits(["one", "two"]) and not progress.fits(["two", "one"])


def test_where_nothing_can_be_kept_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot be kept"):
        Folder(tmp_path / "file" / "below").write(begun("tun", 7, "two-site", ["one"]))


@pytest.fixture
def full_disk() -> Iterator[None]:
    """Files that may not become larger (RLIMIT_FSIZE): to write to one is refused (EFBIG)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("full_disk")
def test_a_lesson_is_not_begun_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="cannot be kept"), Folder(tmp_path).opened("tun"):
        pytest.fail("it is begun")


def test_a_file_system_without_locks_is_no_other_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "as NFS without its lock manager")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with pytest.raises(MachineError, match="ENOLCK"), Folder(tmp_path).opened("tun"):
        pytest.fail("it is begun")
