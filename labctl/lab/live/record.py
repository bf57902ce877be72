"""Whether the record of a lab has changed: asked for again and again, so only its file is looked at."""

from __future__ import annotations

import os

from labctl.lab.state import State

NONE: tuple[int, ...] = ()


def stamp(state: State) -> tuple[int, ...]:
    """Return what differs once something was appended to the record of a lab, or another began; NONE without one."""
    try:
        found = os.stat(state.directory / "journal")
    except OSError:
        return NONE
    return found.st_dev, found.st_ino, found.st_size
