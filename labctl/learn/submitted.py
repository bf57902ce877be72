"""What a student hands in of a lesson: how far it went, and the checks of its last step as they are in the lab now."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.errors import LabError, UsageError
from labctl.learn.classroom.submission import submit
from labctl.learn.player import Player

if TYPE_CHECKING:
    from labctl.checks.results import Result


def hand_in(player: Player, target: Path) -> tuple[Result, ...]:
    """Write what happened in a lesson to a file. Return the results of the checks, none where its lab is not there.

    Raise UsageError where nothing has happened in it yet, or the file cannot be written.
    """
    progress = player.progress
    if not any(step.began for step in progress.steps):
        raise UsageError(
            f"there is nothing to hand in of {progress.lesson}", "it was not begun", "labctl learn begins it"
        )
    results = _final_checks(player)
    submit(target, progress.written, results, player.file.labs[progress.step])
    return results


def _final_checks(player: Player) -> tuple[Result, ...]:
    """Ask the checks of the current step, if the lab of the lesson runs."""
    checks = player.step.check
    if not checks or player.stage.identity() != player.progress.lab_id:
        return ()
    written = {"checks": [check.written() for check in checks]}
    with tempfile.NamedTemporaryFile("w", prefix="labctl-", suffix=".yaml") as file, suppress(LabError):
        json.dump(written, file)
        file.flush()
        return player.stage.lab.verify(file=file.name).results
    return ()
