"""Where a line of a ruleset stands in the topology file that it is a part of.

In a literal block scalar (`nft: |`) each line of the ruleset is a line of the file, further to the right by the
indentation of the block. In every other form of text lines are joined or escaped, and the text as a whole is the place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from labctl.topology import yaml_tree
from labctl.topology.yaml_tree import Node, NotYaml, Position


class At(NamedTuple):
    """A place in a ruleset; both count from 1."""

    line: int
    column: int


class Rulesets:
    """The rulesets of the text of a topology file."""

    def __init__(self, text: str) -> None:
        self._lines = yaml_tree.lines_of(text)
        self._nodes = list(_rulesets(text))

    def position(self, ruleset: str, at: At) -> Position | None:
        """Return where a place of a ruleset stands; None where the file has no such ruleset."""
        node = next((node for node in self._nodes if node.value == ruleset), None)
        return None if node is None else self._within(node.at, ruleset.splitlines(), at)

    def line_at(self, position: Position) -> str:
        """Return the line of the file at a position."""
        return self._lines[position.line] if position.line < len(self._lines) else ""

    def _within(self, start: Position, ruleset: list[str], at: At) -> Position:
        number = min(at.line, len(ruleset))  # what is missing at the end nft sees a line behind it
        if number < 1 or not self.line_at(start)[start.column :].startswith("|"):
            return start
        below, line = start.line + number, ruleset[number - 1]
        whole = self._lines[below] if below < len(self._lines) else ""
        if not whole.endswith(line):
            return start
        column = at.column if at.line == number else len(line) + 1
        return Position(below, len(whole) - len(line) + max(column, 1) - 1)


def _rulesets(text: str) -> Iterator[Node]:
    try:
        tree = yaml_tree.read(text)
    except NotYaml:
        return
    spaces = _parts(_parts(tree.root).get("namespaces")) if tree else {}
    for space in spaces.values():
        node = _parts(space).get("nft")
        if node is not None:
            yield node


def _parts(node: Node | None) -> dict[str, Node]:
    return node.parts if node is not None and isinstance(node.parts, dict) else {}
