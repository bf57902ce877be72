"""The topologies that ship with labctl: `labctl up two-site` works without a file at hand.

In an installed package they are data of it, in `labctl/topologies`; in a checkout they are where a reader looks first,
in `topologies` beside it.
"""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

from labctl.errors import UsageError, kernel_words
from labctl.topology.source import STDIN
from labctl.topology.unknown_names import no_such

_PACKAGE = Path(__file__).resolve().parents[1]
_PLACES = (_PACKAGE / "topologies", _PACKAGE.parent / "topologies")


def find(name_or_path: str) -> Path:
    """Return the file that is meant: a file that exists, or else a shipped topology; `-` is the standard input.

    Raise UsageError where there is neither.
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
    raise _unknown(f"there is no file and no shipped topology {name_or_path[:80]!r}", name_or_path)


def names() -> list[str]:
    """Return the names of the shipped topologies."""
    return list(_files())


def as_typed(file: str, inventory: str = "", name: str = "") -> str:
    """Return what a person types in a shell for a topology file, the inventory of its hosts, and another name.

    It is the name of a shipped one, or the shorter path; with what there is of the others.
    """
    if not file:
        return ""
    path = Path(file)
    typed = path.stem if _files().get(path.stem) == path else quote(shorter(file))
    typed += f" -i {quote(shorter(inventory))}" if inventory else ""
    return f"{typed} --name {quote(name)}" if name else typed


def shorter(path: str) -> str:
    """Return a path as it is, or seen from here, whichever is shorter."""
    try:
        return min(path, os.path.relpath(path), key=len) if path else ""
    except FileNotFoundError:  # the working directory has been deleted
        return path


def text_of(name: str) -> str:
    """Return the text of a shipped topology. Raise UsageError where there is none such."""
    try:
        return _files()[name].read_text()
    except KeyError:
        raise _unknown(f"no topology {name[:80]!r} ships with labctl", name) from None


def copy_of(name: str, to: str) -> Path:
    """Write a shipped topology into a directory, or to a file that is not there yet, and return where it is.

    Raise UsageError where there is no such topology, where the file is there, or where it cannot be written.
    """
    text = text_of(name)
    target = Path(to, f"{name}.yaml") if os.path.isdir(to) else Path(to)
    try:
        with target.open("x") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{target} is there already", "", "name another file, or remove it") from None
    except OSError as error:
        raise UsageError(f"{target} cannot be written", kernel_words(error), "name a directory of your own") from None
    return target


def _unknown(what: str, name: str) -> UsageError:
    hint = "give the path of a topology file, or one of these names"
    return no_such(what, name, _files(), among="shipped with labctl", hint=hint)


def _files() -> dict[str, Path]:
    for place in _PLACES:
        if place.is_dir():
            return {path.stem: path for path in sorted(place.glob("*.yaml"))}
    return {}
