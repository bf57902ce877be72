"""A file in, a topology out, or every mistake of the file at once.

    bytes -> text -> tree of plain values -> model -> rules

Each arrow has its own mistakes. Up to the tree the first one ends it: what cannot be read cannot be judged. From there
all are gathered: where values are broken by themselves the rules are asked about the others, and a finding that only
follows from what is broken is left out. No file, whatever is in it, raises anything but UsageError.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from labctl.errors import UsageError
from labctl.topology import yaml_tree
from labctl.topology.mistakes import FileMistakes, Mistake
from labctl.topology.model import Topology
from labctl.topology.prune import Remainder, without
from labctl.topology.rules import mistakes_of
from labctl.topology.wording import Broken, worded
from labctl.topology.yaml_tree import NotYaml, Position, Tree

MAX_BYTES = 1 << 20

_EXAMPLE = "`labctl validate two-site` shows one that is right"


def load(path: Path) -> Topology:
    """The topology in a file. Raises UsageError, or its FileMistakes where the file can be read but is wrong."""
    content = _bounded(path)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        why = f"byte {error.start} is not UTF-8"
        raise UsageError(f"{path} is no text file", why, "a topology is YAML, in UTF-8") from None
    return loads(text, str(path))


def loads(text: str, filename: str) -> Topology:
    """The topology in a text; `filename` is what messages call it. Raises as `load` does."""
    if "\0" in text:
        raise UsageError(f"{filename} is no text file", "there are zero bytes in it", "a topology is YAML, in UTF-8")
    try:
        tree = yaml_tree.read(text)
    except NotYaml as error:
        raise _located([(error.at, error.what, error.hint)], text, filename) from None
    if tree is None or tree.root.value is None:
        raise UsageError(f"{filename} is empty", "there is nothing but space or comments in it", _EXAMPLE)
    topology, broken = _validated(tree.root.value)
    remainder = Remainder(tree.root.value, {})
    found = [*tree.findings, *((tree.position(one.path), one.what, one.hint) for one in broken)]
    if topology is None:
        topology, remainder = _what_is_left(tree, broken)
    if topology is not None:
        found += _between_values(tree, topology, remainder, broken)
    if found or topology is None:
        raise _located(found, text, filename)
    return topology


def _validated(value: object) -> tuple[Topology | None, list[Broken]]:
    try:
        return Topology.model_validate(value, by_alias=True, by_name=False), []
    except ValidationError as error:
        return None, list(worded(error.errors(include_url=False)))


def _what_is_left(tree: Tree, broken: list[Broken]) -> tuple[Topology | None, Remainder]:
    """The topology without what is broken; None where nothing is left that could be one."""
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
    tree: Tree, topology: Topology, remainder: Remainder, broken: list[Broken]
) -> Iterator[tuple[Position, str, str]]:
    doubtful = {one.meant for one in broken} | {one.cut for one in broken}
    for path, what, hint, absent in mistakes_of(topology):
        places = [remainder.original(place) for place in absent]
        if not any(_overlap(place, other) for place in places for other in doubtful):
            yield tree.position(remainder.original(path)), what, hint


def _overlap(one: yaml_tree.Path, other: yaml_tree.Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _located(found: list[tuple[Position, str, str]], text: str, filename: str) -> FileMistakes:
    lines = yaml_tree.lines_of(text)
    located = {
        Mistake(filename, at.line + 1, at.column + 1, what, hint, lines[at.line] if at.line < len(lines) else "")
        for at, what, hint in found
    }
    return FileMistakes(tuple(sorted(located)))


def _bounded(path: Path) -> bytes:
    """The content of a regular file of bounded size; nothing else is waited for or read."""
    try:
        # Without O_NONBLOCK the opening of a FIFO waits for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return _content(descriptor, path)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", "", "is the path right? " + _EXAMPLE) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{str(path)[:200]!r} cannot be read", why or "", "may you read it? try: ls -l") from None


def _content(descriptor: int, path: Path) -> bytes:
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{path} is a directory", "", "name a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{path} is no regular file", "", "save the topology to a file first")
    # The size that stat tells is not what is read where the file grows, or is one of /proc.
    with open(descriptor, "rb", closefd=False) as file:
        content = b"" if status.st_size > MAX_BYTES else file.read(MAX_BYTES + 1)
    if status.st_size > MAX_BYTES or len(content) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES:,} bytes", "", "no topology is; is it the right file?")
    return content
