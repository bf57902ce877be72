"""Namespaces as cards: the rows of one, and how large they are, in pixels.

Text is measured by its number of characters: names and addresses stand in a monospaced font, whose advance is at most
0.602 of its size (DejaVu Sans Mono, Menlo; others are narrower). Titles are given the room that they need in DejaVu
Sans Bold, which is wider than what most machines have.
"""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Literal

from labctl.frozen import frozen
from labctl.report.graph.model import Interface, Namespace, Tunnel
from labctl.topology.interface_ref import InterfaceRef

MONOSPACED, TITLE, SMALL = 12, 15, 11  # sizes of fonts
ADVANCE = 0.602
TAG_ADVANCE = 0.65
HEAD, FOOT = 38, 10
INDENT = 14  # of the ports of a bridge
BETWEEN = 12  # columns of text
UNITS_APART = 6  # where one of them has several rows
PILL = 8  # what an engine has on both sides of its text
LONGEST = 40  # characters of a line that can be wrapped
MOST_FAULTS = 6  # lines of them; what is more is counted

LineKind = Literal["interface", "address", "engine", "program", "impaired", "fault"]
HEIGHTS: dict[LineKind, int] = {
    "interface": 22,
    "address": 16,
    "engine": 20,
    "program": 16,
    "impaired": 16,
    "fault": 16,
}


@frozen
class Line:
    """A line of a row; `top` is its distance from that of the card."""

    kind: LineKind
    text: str
    top: float = 0

    @property
    def height(self) -> int:
        return HEIGHTS[self.kind]

    @property
    def middle(self) -> float:
        return self.top + self.height / 2


@frozen
class Row:
    """An interface of a card: a line for itself, and those that belong to it."""

    interface: Interface
    lines: tuple[Line, ...]

    @property
    def ref(self) -> InterfaceRef:
        return self.interface.ref


Unit = tuple[Row, ...]
"""Rows that stay together: a bridge and its ports, a cable's end and the tunnels that leave by it."""


@frozen
class Card:
    """A namespace; `strips` is the height that the pipes need which cross it from side to side."""

    namespace: Namespace
    units: tuple[Unit, ...]
    strips: float = 0

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows from top to bottom, each line with its place."""
        top, placed = float(HEAD + HEIGHTS["fault"] * len(self.faults)), []
        for before, unit in zip(((), *self.units), self.units, strict=False):
            top += UNITS_APART if before and len(before) + len(unit) > 2 else 0
            for row in unit:
                lines = []
                for line in row.lines:
                    lines.append(Line(line.kind, line.text, top))
                    top += line.height
                placed.append(Row(row.interface, tuple(lines)))
        return tuple(placed)

    @cached_property
    def faults(self) -> tuple[Line, ...]:
        """What is wrong with the namespace itself."""
        lines = _faults(self.namespace.faults)
        return tuple(Line("fault", line.text, HEAD - 4 + HEIGHTS["fault"] * n) for n, line in enumerate(lines))

    @cached_property
    def ports(self) -> dict[InterfaceRef, float]:
        """The distance of each interface from the top, where a cable ends."""
        return {row.ref: row.lines[0].middle for row in self.rows}

    @cached_property
    def engines(self) -> dict[InterfaceRef, float]:
        """The distance of each engine from the top, by its device."""
        return {
            row.ref: next((line.middle for line in row.lines if line.kind == "engine"), self.ports[row.ref])
            for row in self.rows
        }

    @cached_property
    def height(self) -> float:
        last = self.rows[-1].lines[-1] if self.rows else None
        end = last.top + last.height if last else HEAD + HEIGHTS["fault"] * len(self.faults)
        return end + self.strips + FOOT

    @cached_property
    def columns(self) -> tuple[float, float]:
        """How far the kinds and the addresses are from the names."""
        names = max((width(row.interface.ref.interface) + indent(row) for row in self.rows), default=0)
        kinds = max((width(row.interface.kind, SMALL) for row in self.rows), default=0)
        return names + BETWEEN, names + kinds + 2 * BETWEEN

    @cached_property
    def width(self) -> float:
        """The width of its text."""
        tag = sum((len(trait) + 2) * SMALL * TAG_ADVANCE for trait in self.namespace.traits)
        title = sum(map(_title_advance, self.namespace.name)) * TITLE + tag
        lines = [
            *((line, 0) for line in self.faults),
            *((line, indent(row)) for row in self.rows for line in row.lines),
        ]
        return max(title, *(self._width_of(line) + deep for line, deep in lines), 120)

    def _width_of(self, line: Line) -> float:
        match line.kind:
            case "interface" | "address":
                return self.columns[1] + width(line.text)
            case "engine":
                return 2 * PILL + width(line.text, SMALL)
            case _:
                return INDENT + width(line.text, SMALL)


def width(text: str, size: int = MONOSPACED) -> float:
    """Return the width of monospaced text."""
    return len(text) * size * ADVANCE


def _title_advance(letter: str) -> float:
    if letter in "MWmw":
        return 1.11
    return 0.86 if letter.isupper() else 0.72


def indent(row: Row) -> int:
    """Return how far a row is set in."""
    return INDENT if row.interface.master else 0


def card_of(namespace: Namespace, tunnels: Iterable[Tunnel]) -> Card:
    """Return the card of a namespace, its rows in the order of the file, but for what belongs together."""
    leaving = {tunnel.device: tunnel.way[0] for tunnel in tunnels if tunnel.way}
    leaving |= {tunnel.far: tunnel.way[-1] for tunnel in tunnels if tunnel.way and tunnel.far}
    rows = {interface.ref: Row(interface, tuple(_lines(interface))) for interface in namespace.interfaces}
    above: dict[InterfaceRef, InterfaceRef] = {}
    for ref, row in rows.items():
        bridge = InterfaceRef(namespace.name, row.interface.master)
        if bridge in rows:
            above[ref] = bridge
        elif leaving.get(ref) in rows and row.interface.engine:
            above[ref] = leaving[ref]
    below: dict[InterfaceRef, list[InterfaceRef]] = defaultdict(list)
    for ref, upper in above.items():
        below[upper].append(ref)
    return Card(namespace, tuple(_unit(ref, rows, below) for ref in rows if ref not in above))


def _unit(
    top: InterfaceRef, rows: Mapping[InterfaceRef, Row], below: Mapping[InterfaceRef, list[InterfaceRef]]
) -> Unit:
    """Return a row with all that stands below it, each with its own; tunnels can be nested deeper than Python calls."""
    unit, ahead = [], [top]
    while ahead:
        here = ahead.pop()
        unit.append(rows[here])
        ahead += reversed(below.get(here, []))
    return tuple(unit)


def _lines(interface: Interface) -> Iterator[Line]:
    first, *others = interface.addresses or ("",)
    yield Line("interface", first)
    yield from (Line("address", address) for address in others)
    yield from _wrapped("impaired", [interface.impaired] if interface.impaired else ())
    yield from _faults(interface.faults)
    if engine := interface.engine:
        whole = f"{engine.bind} → {engine.peer}"
        if len(whole) <= LONGEST:
            yield Line("engine", whole)
        else:
            yield from (Line("engine", engine.bind), Line("engine", f"→ {engine.peer}"))
        if engine.program:
            yield Line("program", textwrap.shorten(engine.program, LONGEST, placeholder="…"))
        yield from _wrapped("impaired", engine.impaired)
        yield from _faults(engine.faults)


def _faults(texts: Sequence[str]) -> list[Line]:
    lines = list(_wrapped("fault", texts))
    if len(lines) <= MOST_FAULTS:
        return lines
    whole = [len(list(_wrapped("fault", texts[:number]))) for number in range(len(texts) + 1)]
    shown = max(number for number, height in enumerate(whole) if height < MOST_FAULTS)
    return [*_wrapped("fault", texts[:shown]), Line("fault", f"and {len(texts) - shown} more")]


def _wrapped(kind: LineKind, texts: Iterable[str]) -> Iterator[Line]:
    """Yield lines with the texts, each broken where it is too long."""
    for text in texts:
        yield from (Line(kind, part) for part in textwrap.wrap(text, LONGEST))
