"""The topologies that ship with labctl: `labctl up two-site` works without a file at hand.

In an installed package they are data of it, in `labctl/topologies`; in a checkout they are where a reader looks first,
in `topologies` beside it.
"""

from __future__ import annotations

import os
from pathlib import Path

from labctl.errors import UsageError
from labctl.topology.mistakes import nearest
from labctl.topology.source import STDIN

_PACKAGE = Path(__file__).resolve().parents[1]
_PLACES = (_PACKAGE / "topologies", _PACKAGE.parent / "topologies")


def find(name_or_path: str) -> Path:
    """The file that is meant: a file that exists, or else a shipped topology; `-` is the standard input.

    Raises UsageError.
    """
    if name_or_path == "-":
        return STDIN
    shipped = _files()
    bare = "/" not in name_or_path and not name_or_path.endswith((".yaml", ".yml"))
    if os.path.isfile(name_or_path) or not bare:
        return Path(name_or_path)  # a path is a path, also where nothing is there: `load` says so
    if name_or_path in shipped:
        return shipped[name_or_path]
    if os.path.lexists(name_or_path):
        return Path(name_or_path)
    near = nearest(name_or_path, shipped)
    raise UsageError(
        f"there is no file and no shipped topology {name_or_path[:80]!r}",
        f"shipped with labctl: {', '.join(shipped)}",
        f"did you mean {near!r}?" if near else "give the path of a topology file, or one of these names",
    )


def names() -> list[str]:
    """The names of the shipped topologies."""
    return list(_files())


def _files() -> dict[str, Path]:
    for place in _PLACES:
        if place.is_dir():
            return {path.stem: path for path in sorted(place.glob("*.yaml"))}
    return {}
