"""Lines of a picture: curves of points, which can be turned around and joined, and are written as SVG has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple


class Point(NamedTuple):
    """A place, in pixels from the left and from the top."""

    x: float
    y: float


Curve = tuple[Point, ...]
"""Two points are a straight line, three a quadratic and four a cubic Bézier curve."""

Path = tuple[Curve, ...]

_COMMANDS = {2: "L", 3: "Q", 4: "C"}
_RADIUS = 12.0


def reversed_path(path: Path) -> Path:
    """Return the same line from its end to its start."""
    return tuple(curve[::-1] for curve in reversed(path))


def level(start: Point, end: Point) -> Path:
    """Return a line that leaves and arrives horizontally."""
    if abs(start.y - end.y) < 0.5:
        return ((start, Point(end.x, start.y)),) if start.y == end.y else ((start, end),)
    middle = (start.x + end.x) / 2
    return ((start, Point(middle, start.y), Point(middle, end.y), end),)


def around(start: Point, end: Point, bulge: float) -> Path:
    """Return a line that leaves and arrives on the same side, which `bulge` pixels lie before."""
    return ((start, Point(start.x + bulge, start.y), Point(end.x + bulge, end.y), end),)


def rounded(points: Sequence[Point]) -> Path:
    """Return straight lines through the points, with round corners."""
    corners = [here for here, there in pairwise(points) if here != there] + [points[-1]]
    path: list[Curve] = []
    start = corners[0]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        enter, leave = _near(corner, before), _near(corner, after)
        path += [(start, enter), (enter, corner, leave)]
        start = leave
    return (*path, (start, corners[-1]))


def _near(corner: Point, other: Point) -> Point:
    """Return the point before a corner at which a line begins to turn."""
    length = abs(corner.x - other.x) + abs(corner.y - other.y)
    part = min(_RADIUS, length / 2) / length if length else 0
    return Point(corner.x + (other.x - corner.x) * part, corner.y + (other.y - corner.y) * part)


def written(path: Path) -> str:
    """Return a path as the `d` of an SVG path."""
    parts, here = [], None
    for curve in path:
        if curve[0] != here:
            parts.append(f"M{_point(curve[0])}")
        parts.append(_COMMANDS[len(curve)] + " ".join(map(_point, curve[1:])))
        here = curve[-1]
    return "".join(parts)


def middle(path: Path) -> Point:
    """Return a point about half way: that of the middle curve."""
    curve = path[len(path) // 2]
    if len(curve) == 4:
        one, two, three, four = curve
        return Point((one.x + 3 * two.x + 3 * three.x + four.x) / 8, (one.y + 3 * two.y + 3 * three.y + four.y) / 8)
    return Point((curve[0].x + curve[-1].x) / 2, (curve[0].y + curve[-1].y) / 2)


def points(path: Path) -> Iterable[Point]:
    """Yield the points of a path; what is drawn lies between them."""
    for curve in path:
        yield from curve


def _point(point: Point) -> str:
    return f"{_number(point.x)},{_number(point.y)}"


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
