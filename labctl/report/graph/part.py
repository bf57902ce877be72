"""A part of a lab that cables hold together, arranged in columns: where its cards and cables stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise

from labctl.frozen import frozen
from labctl.report.graph.cards import Card
from labctl.report.graph.gutters import MARGIN, Gutters, Side, crossing, gutters, with_engines
from labctl.report.graph.legs import Inside
from labctl.report.graph.model import Cable
from labctl.report.graph.order import Columns, Item, Joint, arrange, stack
from labctl.report.graph.paths import Curve, Path, Point, around, level, reversed_path
from labctl.topology.interface_ref import InterfaceRef

_FIRST_SWEEPS = 4
_GAP, _WIDEST_GAP = 96.0, 260.0
_ROOMIER = {2: 54.0, 3: 24.0}  # by the number of columns, how much wider gaps are where there is room
_BULGE = 40.0  # of a cable that comes back to the same side
_SCREEN = 1.7  # width of a screen by its height
_ROOMY = 1700.0  # so wide a picture is read without scrolling


@frozen
class Box:
    """A card at its place; its text stands between `text` and `end`."""

    card: Card
    x: float
    y: float
    width: float
    text: float
    end: float

    @property
    def height(self) -> float:
        return self.card.height


@frozen
class Port:
    """The end of a cable, at a side of its card."""

    ref: InterfaceRef
    side: Side
    at: Point


class Part:
    """Cards in the columns that were chosen, in the best order that was found."""

    def __init__(
        self,
        cards: Mapping[str, Card],
        cables: Sequence[Cable],
        column: Mapping[str, int],
        inside: Mapping[str, Sequence[Inside]],
        pitch: float,
    ) -> None:
        self._cables, self._inside, self._pitch = cables, inside, pitch
        self.sides: dict[InterfaceRef, Side] = {}
        for cable in cables:
            one, other = column[cable.one.namespace], column[cable.other.namespace]
            self.sides[cable.one] = "left" if other < one else "right"
            self.sides[cable.other] = "left" if one < other else "right"
        self.approach = with_engines(self.sides, (leg for name in cards for leg in inside.get(name, ())))
        self._items = {
            name: Item(
                column[name], len(cables), replace(card, strips=pitch * crossing(inside.get(name, ()), self.approach))
            )
            for name, card in cards.items()
        }
        self._columns: Columns = [[] for _ in range(max(column.values()) + 1)]
        for item in self._items.values():
            self._columns[item.column].append(item)
        self._joints = {
            cable: list(self._join(cable, n)) for n, cable in enumerate(cables) if self._passes_a_gap(cable)
        }
        for cable in self._bent:
            joint = Joint(self._items[cable.one.namespace], self._items[cable.other.namespace], cable.one, cable.other)
            joint.left.within.append(joint)
            joint.right.within.append(joint)
        for items in self._columns:
            items.sort(key=lambda item: item.cable)
        stack(self._columns)
        self._badness = 0.0
        self.arrange(_FIRST_SWEEPS)

    def arrange(self, sweeps: int) -> Part:
        """Look for a better order of the cards; return the part itself."""
        self._badness = arrange(self._columns, sweeps)
        top = min(item.top for items in self._columns for item in items)
        for items in self._columns:
            for item in items:
                item.top -= top
        return self

    def _passes_a_gap(self, cable: Cable) -> bool:
        return self._items[cable.one.namespace].column != self._items[cable.other.namespace].column

    def _join(self, cable: Cable, number: int) -> Iterator[Joint]:
        """Yield the pieces of a cable from column to column, with a bend in each that it passes."""
        left, right = cable.one, cable.other
        if self.sides[left] == "left":
            left, right = right, left
        start, end = self._items[left.namespace], self._items[right.namespace]
        bends = [Item(at, number) for at in range(start.column + 1, end.column)]
        for bend in bends:
            self._columns[bend.column].append(bend)
        for here, there in pairwise((start, *bends, end)):
            joint = Joint(here, there, left if here is start else None, right if there is end else None)
            here.after.append(joint)
            there.before.append(joint)
            here.cable, there.cable = min(here.cable, number), min(there.cable, number)
            yield joint

    @property
    def cost(self) -> float:
        """How bad it looks, in pixels."""
        wide = sum(self._width_of(items) + _GAP for items in self._columns)
        bends = sum(len(joints) - 1 for joints in self._joints.values())
        within = len(self._cables) - len(self._joints)
        size = max(wide, self.height * _SCREEN)
        first = next(iter(self._items.values())).column
        return 40 * first + self._badness + 90 * bends + 200 * within + 0.15 * size + 2 * max(0.0, size - _ROOMY)

    @staticmethod
    def _width_of(items: Sequence[Item]) -> float:
        return 2 * MARGIN + max((item.card.width for item in items if item.card), default=0.0)

    @property
    def height(self) -> float:
        return max(item.top + item.height for items in self._columns for item in items)

    @cached_property
    def cards(self) -> dict[str, Card]:
        """The cards, each with its rows in order."""
        return {name: item.card for name, item in self._items.items() if item.card}

    @cached_property
    def gutters(self) -> dict[str, Gutters]:
        """The gutters of each card."""
        return {
            name: gutters(card, self._inside.get(name, ()), self.approach, self._pitch)
            for name, card in self.cards.items()
        }

    @property
    def is_single(self) -> bool:
        return len(self._items) == 1

    @cached_property
    def _frames(self) -> list[tuple[float, float, float]]:
        """Of each column the width of its left gutters, of its text, and of its right gutters."""
        frames = []
        for items in self._columns:
            names = [item.card.namespace.name for item in items if item.card]
            frames.append(
                (
                    max(self.gutters[name].width("left") for name in names),
                    max(self.cards[name].width for name in names),
                    max(self.gutters[name].width("right") for name in names),
                )
            )
        return frames

    @cached_property
    def _lefts(self) -> list[float]:
        """Where each column begins, and at last where the part ends."""
        lefts = [0.0]
        for number, frame in enumerate(self._frames):
            last = number == len(self._frames) - 1
            lefts.append(lefts[-1] + sum(frame) + (self._overhang(number) if last else self._gap(number)))
        return lefts

    def _gap(self, number: int) -> float:
        """Return the width of the gap behind a column: wider where cables rise or fall."""
        joints = [joint for item in self._columns[number] for joint in item.after]
        steepest = max((abs(joint.left_y - joint.right_y) for joint in joints), default=0.0)
        least = _GAP + _ROOMIER.get(len(self._columns), 0.0)
        return min(_WIDEST_GAP, least + steepest / 5 + 2 * len(joints)) + self._overhang(number)

    def _overhang(self, number: int) -> float:
        """Return how far cables reach out of a column that come back to it."""
        return max((_BULGE for cable in self._bent if self._items[cable.one.namespace].column == number), default=0.0)

    @property
    def _bent(self) -> list[Cable]:
        return [cable for cable in self._cables if cable not in self._joints]

    @property
    def width(self) -> float:
        return self._lefts[-1]

    def boxes(self, origin: Point, narrowest: float = 0.0) -> Iterator[Box]:
        """Yield the cards, where the part begins at a point; none is narrower than that."""
        for name, card in self.cards.items():
            item = self._items[name]
            left, (before, text, after) = origin.x + self._lefts[item.column], self._frames[item.column]
            width = max(before + text + after, narrowest)
            yield Box(card, left, origin.y + item.top, width, left + before, left + width - after)

    def ports(self, boxes: Mapping[str, Box]) -> Iterator[Port]:
        """Yield the ends of the cables, at the sides of these cards."""
        for ref, side in self.sides.items():
            box = boxes[ref.namespace]
            x = box.x if side == "left" else box.x + box.width
            yield Port(ref, side, Point(x, box.y + box.card.ports[ref]))

    def cables(self, origin: Point, ports: Mapping[InterfaceRef, Port]) -> Iterator[tuple[Cable, Path]]:
        """Yield the cables with their lines, each from its one end to the other."""
        for cable in self._cables:
            one, other = ports[cable.one], ports[cable.other]
            if cable not in self._joints:
                yield cable, around(one.at, other.at, _BULGE)
            elif one.side == "right":
                yield cable, tuple(self._line(origin, one.at, self._joints[cable], other.at))
            else:
                yield cable, reversed_path(tuple(self._line(origin, other.at, self._joints[cable], one.at)))

    def _line(self, origin: Point, start: Point, joints: Sequence[Joint], end: Point) -> Iterator[Curve]:
        """Yield the curves of a cable from left to right: across the gaps, and straight along the columns it passes."""
        here = start
        for joint in joints[:-1]:
            left, height = origin.x + self._lefts[joint.right.column], origin.y + joint.right_y
            enter, leave = Point(left, height), Point(left + sum(self._frames[joint.right.column]), height)
            yield from (*level(here, enter), (enter, leave))
            here = leave
        yield from level(here, end)
