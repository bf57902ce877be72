"""A file in, a topology out, or every mistake of the file at once, each with its line and column.

    bytes -> text -> tree of plain values -> judge.py

Each arrow has its own mistakes. Up to the tree the first one ends it: what cannot be read cannot be judged. From there
all are gathered. No file, whatever is in it, raises anything but UsageError.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from labctl.errors import UsageError
from labctl.topology import yaml_tree
from labctl.topology.judge import judged
from labctl.topology.mistakes import FileMistakes, Mistake
from labctl.topology.model import Topology
from labctl.topology.program_paths import anchored, directory_of
from labctl.topology.routed import Routed
from labctl.topology.rules import warnings_of
from labctl.topology.source import EXAMPLE, content_of, name_of, plain_file
from labctl.topology.yaml_tree import NotYaml, Position, Tree


def load(path: Path) -> Topology:
    """Return the topology in a file. Raise UsageError, or its FileMistakes where the file can be read but is wrong."""
    return load_routed(path).topology


def load_routed(path: Path) -> Routed:
    """Return the topology in a file with the ways of its tunnels. Raise as `load` does."""
    text, directory = text_of(path), directory_of(path)  # in this order: what cannot be read has no place
    found = _routed(text, name_of(path), directory)
    return replace(found, topology=anchored(found.topology, directory), file=plain_file(path))


def text_of(path: Path) -> str:
    """Return the text of a topology file. Raise UsageError where it cannot be read as text."""
    try:
        return content_of(path).decode()
    except UnicodeDecodeError as error:
        why = f"byte {error.start} is not UTF-8"
        raise UsageError(f"{name_of(path)} is no text file", why, "a topology is YAML, in UTF-8") from None


def loads(text: str, filename: str, directory: str = "") -> Topology:
    """Return the topology in a text; `filename` is what messages call it, its paths begin at the directory.

    Raise as `load` does.
    """
    return _routed(text, filename, directory).topology


def _routed(text: str, filename: str, directory: str) -> Routed:
    tree = tree_of(text, filename)
    return routed_in(tree, tree.root.value, text, filename, directory)


def tree_of(text: str, filename: str) -> Tree:
    """Return the values in a text and where they stand. Raise UsageError where there are none."""
    if "\0" in text:
        raise UsageError(f"{filename} is no text file", "there are zero bytes in it", "a topology is YAML, in UTF-8")
    try:
        tree = yaml_tree.read(text)
    except NotYaml as error:
        raise located([(error.at, error.what, error.hint)], text, filename) from None
    if tree is None or tree.root.value is None:
        raise UsageError(f"{filename} is empty", "there is nothing but space or comments in it", EXAMPLE)
    return tree


def routed_in(tree: Tree, value: Any, text: str, filename: str, directory: str) -> Routed:
    """Return the topology that is a value, whose parts stand in a tree of the text. Raise FileMistakes."""
    found = judged(value, directory)
    wrong = [*tree.findings, *((tree.position(path), what, hint) for path, what, hint in found.wrong)]
    if found.routed is None or wrong:
        raise located(wrong, text, filename)
    return found.routed


def warnings(topology: Topology, text: str, filename: str) -> tuple[Mistake, ...]:
    """Return what is most likely not meant in a text that has no mistakes, each with its place."""
    tree = yaml_tree.read(text)
    assert tree is not None, "it holds this topology"
    return at_places(
        ((tree.position(path), what, hint) for path, what, hint, _ in warnings_of(topology)), text, filename
    )


def located(found: Iterable[tuple[Position, str, str]], text: str, filename: str) -> FileMistakes:
    """Return mistakes of a text, each with its line and column."""
    return FileMistakes(at_places(found, text, filename))


def at_places(found: Iterable[tuple[Position, str, str]], text: str, filename: str) -> tuple[Mistake, ...]:
    """Return mistakes of a text, in its order, each with its line and column."""
    lines = yaml_tree.lines_of(text)
    located = {
        Mistake(filename, at.line + 1, at.column + 1, what, hint, lines[at.line] if at.line < len(lines) else "")
        for at, what, hint in found
    }
    return tuple(sorted(located))
