"""The player of a lesson, where something is in the way of what the student asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.errors import UsageError
from labctl.learn.lesson.load import load
from labctl.learn.player import Player
from labctl.learn.progress import Folder
from labctl.learn.stage import Stage

LESSON = Path(__file__).parent / "lessons" / "two-hosts"


class _Busy:
    """A lab that another labctl is at work on."""

    def down(self) -> None:
        raise UsageError("another labctl is at work on lab pair")


def test_a_lab_that_cannot_be_ended_now_is_still_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    player = Player.anew(load(LESSON, 1), Folder(tmp_path))
    monkeypatch.setattr(Stage, "identity", lambda _: player.progress.lab_id)
    monkeypatch.setattr(Stage, "lab", _Busy())
    with pytest.raises(UsageError, match="another labctl"):
        player.end()
    assert next(player.moments(pause=0), None) is not None
