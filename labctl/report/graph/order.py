"""In which order the cards of a column stand, and how high: as few crossings as can be found, cables that run level.

It is the method of Sugiyama, Tagawa and Toda (1981): a cable that passes a column bends there, as if there were a card
without height; then one column after the other is put in the order of what its cables lead to. How high they stand is
the least-squares fit under the condition that they do not overlap, which is an isotonic regression (Barlow 1972).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from labctl.report.graph.cards import Card, Row, Unit
from labctl.topology.interface_ref import InterfaceRef

CARDS_APART, BENDS_APART = 30.0, 16.0
_SETTLING = 5
_LEVEL = 30.0  # the difference of height up to which two cards stand side by side
_CROSSING = 160.0  # how many pixels of height a crossing is worth


@dataclass(eq=False)
class Item:
    """What stands in a column: a card, or the bend of a cable that passes; `cable` is the number of its first one."""

    column: int
    cable: int
    card: Card | None = None
    top: float = 0.0
    before: list[Joint] = field(default_factory=list)  # what leads to it from the column before
    after: list[Joint] = field(default_factory=list)
    within: list[Joint] = field(default_factory=list)  # what leads to and from items of its own column

    @property
    def height(self) -> float:
        return self.card.height if self.card else 0.0


@dataclass(eq=False)
class Joint:
    """A piece of a cable between two columns, or a cable within one; an end at a card has its interface."""

    left: Item
    right: Item
    left_ref: InterfaceRef | None = None
    right_ref: InterfaceRef | None = None

    @property
    def left_offset(self) -> float:
        """How far it begins below the top of its left item."""
        return self.left.card.ports[self.left_ref] if self.left.card and self.left_ref else 0.0

    @property
    def right_offset(self) -> float:
        """How far it ends below the top of its right item."""
        return self.right.card.ports[self.right_ref] if self.right.card and self.right_ref else 0.0

    @property
    def left_y(self) -> float:
        return self.left.top + self.left_offset

    @property
    def right_y(self) -> float:
        return self.right.top + self.right_offset


Columns = list[list[Item]]


def arrange(columns: Columns, sweeps: int) -> float:
    """Put every column in a better order and every item at its height; return how bad that is, in pixels."""
    best, found = _cost(columns), _snapshot(columns)
    for sweep in range(sweeps):
        forward = sweep % 2 == 0
        for column in columns if forward else reversed(columns):
            for item in column:
                _turn(item)
            side = _before if forward else _after
            column.sort(key=lambda item: side(item) + item.height / 2)  # stable: what is equal stays
            _fit(column, side)
        _settle(columns)
        cost = _cost(columns)
        if cost < best:
            best, found = cost, _snapshot(columns)
    _restore(columns, found)
    return best


def _settle(columns: Columns) -> None:
    """Bring the items to the height of what they are joined to; the order stays."""
    for round_ in range(_SETTLING):
        for column in columns if round_ % 2 else reversed(columns):
            _fit(column, _both)
    for column in columns:
        _fit(column, _beside)


def stack(columns: Columns) -> None:
    """Put the items of every column one below the other, in the order that they have."""
    for column in columns:
        for above, item in pairwise(column):
            item.top = above.top + above.height + _apart(above, item)


def _apart(above: Item, below: Item) -> float:
    return CARDS_APART if above.card and below.card else BENDS_APART


Side = Callable[[Item], float]
"""Returns the top at which the cables of an item would be level in the mean: those of one side, or of both."""


def _before(item: Item) -> float:
    return _mean([joint.left_y - joint.right_offset for joint in item.before], item)


def _after(item: Item) -> float:
    return _mean([joint.right_y - joint.left_offset for joint in item.after], item)


def _both(item: Item) -> float:
    before = [joint.left_y - joint.right_offset for joint in item.before]
    return _mean([*before, *[joint.right_y - joint.left_offset for joint in item.after]], item)


def _beside(item: Item) -> float:
    """Return the same as `_before`; of two cards that have only each other there the other top, where it is near."""
    wish = _before(item)
    if item.card and len(item.before) == 1:
        other = item.before[0].left
        if other.card and len(other.after) == 1 and abs(wish - other.top) <= _LEVEL:
            return other.top
    return wish


def _mean(tops: Sequence[float], item: Item) -> float:
    return sum(tops) / len(tops) if tops else item.top


def _fit(column: Sequence[Item], side: Side) -> None:
    """Place items as near to their wishes as can be without overlap: pool adjacent violators."""
    shift, shifts = 0.0, []
    blocks: list[tuple[float, int]] = []  # the mean of a run of items, and their number
    for index, item in enumerate(column):
        if index:
            shift += column[index - 1].height + _apart(column[index - 1], item)
        shifts.append(shift)
        mean, number = side(item) - shift, 1
        while blocks and blocks[-1][0] > mean:
            other, others = blocks.pop()
            mean, number = (mean * number + other * others) / (number + others), number + others
        blocks.append((mean, number))
    places = (mean for mean, number in blocks for _ in range(number))
    for item, place, moved in zip(column, places, shifts, strict=True):
        item.top = place + moved


def _turn(item: Item) -> None:
    """Put the rows of a card in the order of what their cables lead to; rows without a cable come first."""
    if item.card is None:
        return
    wishes = {joint.right_ref: joint.left_y for joint in item.before}
    wishes |= {joint.left_ref: joint.right_y for joint in item.after}
    for joint in item.within:
        wishes |= {joint.left_ref: joint.right_y} if joint.left is item else {joint.right_ref: joint.left_y}

    def wish(rows: Iterable[Row]) -> float:
        known = [wishes[row.ref] for row in rows if row.ref in wishes]
        return sum(known) / len(known) if known else float("-inf")

    def turned(unit: Unit) -> Unit:
        first, *others = unit
        return (first, *(row for port in sorted(_ports(others), key=wish) for row in port))

    units = tuple(sorted(map(turned, item.card.units), key=wish))
    if units != item.card.units:
        item.card = Card(item.card.namespace, units, item.card.strips)


def _ports(rows: Iterable[Row]) -> list[list[Row]]:
    """Return the ports of a bridge, each with the rows below it; rows that are of no port are one."""
    found: list[list[Row]] = []
    for row in rows:
        if row.interface.master or not found:
            found.append([row])
        else:
            found[-1].append(row)
    return found


def _cost(columns: Columns) -> float:
    total = 0.0
    for column in columns:
        joints = [joint for item in column for joint in item.after]
        total += _CROSSING * crossings((joint.left_y, joint.right_y) for joint in joints)
        total += sum(abs(joint.left_y - joint.right_y) for joint in joints)
    return total


def crossings(lines: Iterable[tuple[float, float]]) -> int:
    """Return how many pairs of lines between two columns cross, each given by its height at both."""
    passed: list[float] = []
    found = 0
    for _, right in sorted(lines):
        found += len(passed) - bisect_left(passed, right)
        insort(passed, right)
    return found


_Snapshot = list[list[tuple[Item, float, Card | None]]]


def _snapshot(columns: Columns) -> _Snapshot:
    return [[(item, item.top, item.card) for item in column] for column in columns]


def _restore(columns: Columns, found: _Snapshot) -> None:
    for column, kept in zip(columns, found, strict=True):
        column[:] = [item for item, _, _ in kept]
        for item, top, card in kept:
            item.top, item.card = top, card
