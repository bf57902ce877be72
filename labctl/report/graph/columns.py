"""In which column each card stands.

A cable between neighbouring columns is short and straight; one within a column has to bend around. So every card is
placed in the column where its cables are shortest, between columns that stay about equally high: a star gets its
leaves on both sides, a chain runs to the edge and comes back below.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

Joined = Mapping[str, Mapping[str, int]]
"""How many cables there are from each card to each of the others."""

_WITHIN = 6.0  # what a cable within a column costs
_FARTHER = 1.5  # and for each column that it passes
_TURNING = 1.0  # and where it turns back, in a card that it only passes

LEVELS = (2.5, 0.6)
"""What a column costs that is as high as it should be: the more, the more level they become."""

_ROUNDS = 3


def columns(
    heights: Mapping[str, float], joined: Joined, root: str, number: int, start: int, level: float
) -> dict[str, int]:
    """Return the column of each card, from 0 on; the root begins in column `start` of a `number` of them."""
    high = sum(heights.values()) / number
    filled = [0.0] * number
    column: dict[str, int] = {}

    def sides(name: str) -> tuple[int, int]:
        """Return, of a card between two others, how many of these stand before and after it."""
        others = [column[other] for other in joined[name] if other in column] if len(joined[name]) == 2 else []
        return sum(at < column[name] for at in others), sum(at > column[name] for at in others)

    def place(name: str) -> None:
        near = [(column[other], cables, sides(other)) for other, cables in joined[name].items() if other in column]

        def cost(at: int) -> tuple[float, int]:
            length = 0.0
            for there, cables, (before, after) in near:
                length += cables * (_WITHIN if at == there else _FARTHER * (abs(at - there) - 1))
                length += _TURNING * (before if at < there else after)
            return length + level * (filled[at] + heights[name]) / high, at

        column[name] = min(range(number), key=cost)
        filled[column[name]] += heights[name]

    order = nearest_first(joined, root)
    column[root] = start
    filled[start] += heights[root]
    for name in order[1:]:
        place(name)
    for _ in range(_ROUNDS):
        before = dict(column)
        for name in order[1:]:
            filled[column.pop(name)] -= heights[name]
            place(name)
        if column == before:
            break
    used = {at: index for index, at in enumerate(sorted(set(column.values())))}
    return {name: used[at] for name, at in column.items()}


def nearest_first(joined: Joined, root: str) -> list[str]:
    """Return the cards that are joined, whichever way, to the root."""
    seen, ahead = {root: None}, deque([root])
    while ahead:
        for other in joined[ahead.popleft()]:
            if other not in seen:
                seen[other] = None
                ahead.append(other)
    return list(seen)
