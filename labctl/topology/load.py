"""A file in, a topology out, or every mistake of the file at once.

    bytes -> text -> tree of plain values -> model -> network -> rules

Each arrow has its own mistakes. Up to the tree the first one ends it: what cannot be read cannot be judged. From there
all are gathered: where values are broken by themselves the rules are asked about the others, and a finding that only
follows from what is broken is left out. No file, whatever is in it, raises anything but UsageError.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from labctl.errors import UsageError
from labctl.topology import yaml_tree
from labctl.topology.mistakes import FileMistakes, Mistake
from labctl.topology.model import Topology
from labctl.topology.program_paths import anchored, directory_of
from labctl.topology.prune import Remainder, without
from labctl.topology.pydantic_errors import Broken, worded
from labctl.topology.routed import Network, Routed
from labctl.topology.rules import mistakes_of, warnings_of
from labctl.topology.source import EXAMPLE, content_of, name_of
from labctl.topology.sources import with_contents
from labctl.topology.yaml_tree import NotYaml, Position, Tree


def load(path: Path) -> Topology:
    """Return the topology in a file. Raise UsageError, or its FileMistakes where the file can be read but is wrong."""
    return load_routed(path).topology


def load_routed(path: Path) -> Routed:
    """Return the topology in a file with the ways of its tunnels. Raise as `load` does."""
    directory = directory_of(path)
    found = _routed(text_of(path), name_of(path), directory)
    return replace(found, topology=anchored(found.topology, directory))


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
    if "\0" in text:
        raise UsageError(f"{filename} is no text file", "there are zero bytes in it", "a topology is YAML, in UTF-8")
    try:
        tree = yaml_tree.read(text)
    except NotYaml as error:
        raise _located([(error.at, error.what, error.hint)], text, filename) from None
    if tree is None or tree.root.value is None:
        raise UsageError(f"{filename} is empty", "there is nothing but space or comments in it", EXAMPLE)
    topology, broken = _validated(tree.root.value)
    remainder = Remainder(tree.root.value, {})
    found = [*tree.findings, *((tree.position(one.path), one.what, one.hint) for one in broken)]
    if topology is None:
        topology, remainder = _what_is_left(tree, broken)
    if topology is None:
        raise _located(found, text, filename)
    network = Network(topology)
    found += _between_values(tree, network, remainder, broken)
    topology, unreadable = with_contents(topology, directory)
    found += ((tree.position(remainder.original(path)), what, hint) for path, what, hint, _ in unreadable)
    if found:
        raise _located(found, text, filename)
    return Routed(topology, network.ways.of_tunnels)


def warnings(topology: Topology, text: str, filename: str) -> tuple[Mistake, ...]:
    """Return what is most likely not meant in a text that has no mistakes, each with its place."""
    tree = yaml_tree.read(text)
    assert tree is not None, "it holds this topology"
    return _at_places(
        ((tree.position(path), what, hint) for path, what, hint, _ in warnings_of(topology)), text, filename
    )


def _validated(value: object) -> tuple[Topology | None, list[Broken]]:
    try:
        return Topology.model_validate(value, by_alias=True, by_name=False), []
    except ValidationError as error:
        return None, list(worded(error.errors(include_url=False)))


def _what_is_left(tree: Tree, broken: list[Broken]) -> tuple[Topology | None, Remainder]:
    """Return the topology without what is broken; None where nothing is left that could be one."""
    cuts: set[yaml_tree.Path] = set()
    more = {one.cut for one in broken}
    while more - cuts and () not in more:
        cuts |= more
        remainder = without(tree.root.value, cuts)
        topology, broken = _validated(remainder.value)
        if topology is not None:
            return topology, remainder
        # Without a broken part what is around it may lack a key, and is then cut in its turn.
        more = {remainder.original(one.cut) for one in broken}
    return None, Remainder(None, {})


def _between_values(
    tree: Tree, network: Network, remainder: Remainder, broken: list[Broken]
) -> Iterator[tuple[Position, str, str]]:
    doubtful = {one.meant for one in broken} | {one.cut for one in broken}
    for path, what, hint, absent in mistakes_of(network):
        places = [remainder.original(place) for place in absent]
        if not any(_overlap(place, other) for place in places for other in doubtful):
            yield tree.position(remainder.original(path)), what, hint


def _overlap(one: yaml_tree.Path, other: yaml_tree.Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _located(found: Iterable[tuple[Position, str, str]], text: str, filename: str) -> FileMistakes:
    return FileMistakes(_at_places(found, text, filename))


def _at_places(found: Iterable[tuple[Position, str, str]], text: str, filename: str) -> tuple[Mistake, ...]:
    lines = yaml_tree.lines_of(text)
    located = {
        Mistake(filename, at.line + 1, at.column + 1, what, hint, lines[at.line] if at.line < len(lines) else "")
        for at, what, hint in found
    }
    return tuple(sorted(located))
