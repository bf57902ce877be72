"""Progress is kept as it is, and what is damaged or of another lesson is begun anew."""

from __future__ import annotations

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


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"steps": []}', '{"steps": [{"name": 1}], "of": 1}', "\0" * 9])
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
