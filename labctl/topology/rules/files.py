"""The files of a namespace: each has one content, and none is inside of another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from labctl.topology.model import File, Namespace
from labctl.topology.paths import Key, Path
from labctl.topology.rules.finding import Finding

_CONTENTS = ("content", "base64", "source")


def of_files(where: str, namespace: Namespace) -> Iterator[Finding]:
    """Yield what is wrong with the files of a namespace."""
    for path, file in namespace.files.items():
        here: Path = ("namespaces", where, "files", path)
        given = [key for key in _CONTENTS if getattr(file, key) is not None]
        if file.directory and given:
            what = f"{path} is a directory, and has `{given[0]}`"
            yield Finding((*here, Key(given[0])), what, f"name what is in it by itself: {path}/NAME")
        elif not file.directory and len(given) != 1:
            yield _one_content(path, given, here)
        outer = next((str(p) for p in PurePosixPath(path).parents if _is_file(namespace.files.get(str(p)))), None)
        if outer is not None:
            yield Finding((*here[:-1], Key(path)), f"{outer} is a file, so nothing can be in it", "make it a directory")


def _one_content(path: str, given: list[str], here: Path) -> Finding:
    if given:
        what = f"{path} has both `{given[0]}` and `{given[1]}`"
        return Finding((*here, Key(given[1])), what, "leave one of them out")
    hint = "write content: TEXT, or source: FILE; directory: true for a directory"
    return Finding(here, f"nothing says what is in {path}", hint, tuple((*here, key) for key in _CONTENTS))


def _is_file(file: File | None) -> bool:
    return file is not None and not file.directory
