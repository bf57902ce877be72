"""The lessons that ship with labctl, in their order, and a lesson that is named or is a folder."""

from __future__ import annotations

import os
from pathlib import Path

from labctl.learn.lesson.load import FILE, LessonFile, load, name_of
from labctl.topology.unknown_names import no_such

_PACKAGE = Path(__file__).resolve().parents[2]
_PLACES = (_PACKAGE / "lessons", _PACKAGE.parent / "lessons")


def folders() -> dict[str, Path]:
    """Return the folder of each shipped lesson by its name, without the number that orders them."""
    for place in _PLACES:
        if place.is_dir():
            found = sorted(path for path in place.iterdir() if (path / FILE).is_file())
            return {name_of(path): path for path in found}
    return {}


def find(name_or_path: str) -> Path:
    """Return the folder that is meant: a shipped lesson by name or number, or a path. Raise UsageError."""
    shipped = folders()
    if name_or_path in shipped:
        return shipped[name_or_path]
    for folder in shipped.values() if name_or_path.isdigit() else ():
        if folder.name.partition("-")[0].lstrip("0") == name_or_path.lstrip("0"):
            return folder
    path = Path(name_or_path)
    if path.name == FILE:
        return path.parent
    if "/" in name_or_path or os.path.isfile(path / FILE):
        return path  # a path is a path, also where nothing is there, or it may not be read: `load` says so
    what = f"there is no folder with a {FILE} and no shipped lesson {name_or_path[:80]!r}"
    raise no_such(what, name_or_path, shipped, among="shipped with labctl", hint="labctl learn --list shows them")


def load_named(name_or_path: str, seed: int) -> LessonFile:
    """Return a lesson by its name, number or path. Raise UsageError, or FileMistakes where it is wrong."""
    return load(find(name_or_path), seed)
