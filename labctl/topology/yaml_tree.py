"""YAML text to a tree of plain values that remembers where everything stands.

PyYAML's parser yields a flat stream of events with positions; the tree is built here, not by PyYAML's constructors,
for three reasons. Plain scalars follow YAML 1.2: only true, false, null and decimal numbers are not text, so that `no`,
`1:30` and a MAC address stay what was written. Numbers whose text would be lost (`007`, `1.10`) stay text too.
A position per key and value makes every later mistake point at its place. And a hostile file is bounded: nesting by a
depth, aliases by the number of values that they stand for, counted without making them.

What ends the reading raises `NotYaml`; what does not (a key written twice, a tag) is collected in `Tree.findings`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from labctl.frozen import frozen
from labctl.topology.paths import Key, Path

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # PyYAML built without libyaml: the same events, some ten times slower
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

MAX_DEPTH = 40
MAX_VALUES = 250_000

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DECIMAL = re.compile(r"-?[0-9]{1,15}\.[0-9]{1,15}")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")

# (what the parser says, the message, the hint). The first that fits.
_PROBLEMS = (
    ("cannot start any token", "no text can begin with this character", "put the text in quotes"),
    ("mapping values are not allowed", "no key can stand here",
     "is it indented as the lines above? put text that contains ': ' in quotes"),
    ("could not find expected ':'", "a key without its ':'", "write KEY: VALUE"),
    ("expected ',' or ']'", "a ',' or the ']' is missing here", "a list that begins with '[' ends with ']'"),
    ("expected ',' or '}'", "a ',' or the '}' is missing here", "a mapping that begins with '{' ends with '}'"),
    ("unexpected end of stream", "this quote is never closed", "write the same quote where the text ends"),
    ("expected key", "this does not go on the mapping above", "is it indented as the keys above?"),
    ("expected '-' indicator", "this does not go on the list above", "is it indented as the items above?"),
    ("maximum nesting depth", f"nested more than {MAX_DEPTH} levels deep", ""),
    ("unknown escape character", "an unknown escape after '\\'", "in single quotes a '\\' is only a '\\'"),
)  # fmt: skip


@frozen
class Position:
    """A place in the text; 0-based, as the parser counts."""

    line: int
    column: int


class NotYaml(Exception):
    """The text cannot be read as one YAML document."""

    def __init__(self, at: Position, what: str, hint: str = "") -> None:
        super().__init__(at, what, hint)
        self.at, self.what, self.hint = at, what, hint


@dataclass(slots=True)
class Node:
    """A value, where it stands, and where its parts stand."""

    at: Position
    value: Any
    text: str | None = None  # of a scalar, as written
    parts: dict[str, Node] | list[Node] | None = None
    keys: dict[str, Position] = field(default_factory=dict)
    size: int = 1  # values in it, every alias counted as what it stands for
    height: int = 0  # levels below it, counted likewise


@frozen
class Tree:
    """A YAML document and what is wrong with its form."""

    root: Node
    findings: tuple[tuple[Position, str, str], ...]

    def position(self, path: Path) -> Position:
        """Return where the value (for a `Key`, the key) stands, or the nearest mapping or list around an absent one."""
        node = self.root
        for step in path:
            if isinstance(step, Key) and step in node.keys:
                return node.keys[step]
            below = _part(node, step)
            if below is None:
                break
            node = below
        return node.at


def _part(node: Node, step: str | int) -> Node | None:
    if isinstance(node.parts, dict) and isinstance(step, str):
        return node.parts.get(step)
    if isinstance(node.parts, list) and isinstance(step, int) and step < len(node.parts):
        return node.parts[step]
    return None


def lines_of(text: str) -> list[str]:
    """Return the lines of a text as the parser counts them."""
    return _LINE_BREAK.split(text)


def read(text: str) -> Tree | None:
    """Return the document in a text, None where there is only space and comments. Raise NotYaml."""
    found = _FORBIDDEN.search(text, 1 if text.startswith("\ufeff") else 0)
    if found:
        before = lines_of(text[: found.start()])
        at = Position(len(before) - 1, len(before[-1]))
        raise NotYaml(at, f"the character U+{ord(found.group()):04X} cannot stand in YAML", "delete it")
    return _Builder(text).document()


class _Builder:
    def __init__(self, text: str) -> None:
        self._text = text
        self._events = self._parsed()
        self._anchors: dict[str, Node | None] = {}  # None while the node is being built
        self._findings: list[tuple[Position, str, str]] = []

    def _parsed(self) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(self._text, Loader=Loader)
        except yaml.MarkedYAMLError as error:
            raise self._in_our_words(error) from None
        except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: the Python parser on "\UFFFFFFFF"
            raise NotYaml(Position(0, 0), f"this is no valid YAML: {error}") from None

    def _in_our_words(self, error: yaml.MarkedYAMLError) -> NotYaml:
        problem = error.problem or "it cannot be read"
        mark = error.problem_mark or error.context_mark
        if error.context_mark and "end of stream" in problem:
            mark = error.context_mark  # where the quote was opened says more than where the file ends
        at = Position(mark.line, mark.column) if mark else Position(0, 0)
        lines = lines_of(self._text)
        line = lines[at.line] if at.line < len(lines) else ""
        indentation = re.match(r"[ -]*\t", line)
        if indentation or line[at.column : at.column + 1] == "\t":
            tab = line.index("\t")
            return NotYaml(Position(at.line, tab), "YAML does not allow tabs for indentation", "use spaces")
        for words, what, hint in _PROBLEMS:
            if words in problem:
                return NotYaml(at, what, hint)
        return NotYaml(at, f"this is no valid YAML: {problem}")

    def document(self) -> Tree | None:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise NotYaml(_start(event), "a second document begins here", "one file holds one topology")
                root = self._node(next(self._events), depth=0)
        return None if root is None else Tree(root, tuple(self._findings))

    def _node(self, event: yaml.Event, depth: int) -> Node:
        at = _start(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), at, depth)
        assert isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent))
        if depth > MAX_DEPTH:
            raise _too_deep(at)
        if event.tag not in (None, "!"):
            self._findings.append((at, "tags such as !!str are not used here", "delete it; put text in quotes"))
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(at, depth)
        elif isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, at)
        else:
            node = self._sequence(at, depth)
        if node.size > MAX_VALUES:
            raise NotYaml(
                at, f"this stands for more than {MAX_VALUES:,} values", "an alias (*NAME) counts as all it repeats"
            )
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, anchor: str, at: Position, depth: int) -> Node:
        if anchor not in self._anchors:
            raise NotYaml(at, f"the alias *{anchor} refers to nothing", f"define it further up with &{anchor}")
        node = self._anchors[anchor]
        if node is None:
            raise NotYaml(at, f"the alias *{anchor} contains itself")
        if depth + node.height > MAX_DEPTH:
            raise _too_deep(at)
        return node

    def _scalar(self, event: yaml.ScalarEvent, at: Position) -> Node:
        if _SURROGATE.search(event.value):
            raise NotYaml(at, "this is no Unicode text", "half of a surrogate pair is no character")
        return Node(at, event.value if event.style else plain_value(event.value), text=event.value)

    def _sequence(self, at: Position, depth: int) -> Node:
        parts: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            parts.append(self._node(event, depth + 1))
        return _around(Node(at, [part.value for part in parts], parts=parts), parts)

    def _mapping(self, at: Position, depth: int) -> Node:
        parts: dict[str, Node] = {}
        keys: dict[str, Position] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            place = _start(event)
            key = self._node(event, depth + 1).text
            value = self._node(next(self._events), depth + 1)
            if key is None:
                raise NotYaml(place, "a key must be text", "put text that contains { or [ in quotes")
            if key == "<<":
                raise NotYaml(place, "merge keys (<<) are not supported", "write the keys out")
            if key in parts:
                first = keys[key]
                what = f"the key {key!r} stands here twice; the first is in line {first.line + 1}"
                self._findings.append((place, what, "a key may stand once in a mapping"))
            else:
                keys[key], parts[key] = place, value
        values = {key: part.value for key, part in parts.items()}
        return _around(Node(at, values, parts=parts, keys=keys), parts.values())


def plain_value(text: str) -> str | int | float | bool | None:
    """Return what a scalar without quotes means by YAML 1.2's core schema, as long as no text is lost by it."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text) and str(float(text)) == text:
        return float(text)
    return text


def _around(node: Node, parts: Collection[Node]) -> Node:
    node.size = 1 + sum(part.size for part in parts)
    node.height = 1 + max((part.height for part in parts), default=0)
    return node


def _too_deep(at: Position) -> NotYaml:
    return NotYaml(at, f"nested more than {MAX_DEPTH} levels deep")


def _start(event: yaml.Event) -> Position:
    assert event.start_mark is not None
    return Position(event.start_mark.line, event.start_mark.column)
