"""Where everything of a picture stands. The same lab is always drawn alike.

Namespaces are cards in columns; cables run in the gaps between the columns, and so never behind a card. Of several ways
to put the cards into columns that one is taken which has the fewest crossings and fits a screen best. Parts of the lab
that no cable joins stand beside one another.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from labctl.report.graph.cards import Card, card_of
from labctl.report.graph.columns import LEVELS, Joined, columns, nearest_first
from labctl.report.graph.gutters import height_of, side_of
from labctl.report.graph.legs import Inside, Legs, legs_of, ranks
from labctl.report.graph.model import Cable, Picture, Tunnel
from labctl.report.graph.order import CARDS_APART
from labctl.report.graph.part import Box, Part, Port
from labctl.report.graph.paths import Path, Point, reversed_path, rounded
from labctl.topology.interface_ref import InterfaceRef

MARGIN = 24.0
_APART = 44.0  # parts
_SCREEN = 1.6  # width of a screen by its height
_WIDE = 2.0  # that of parts that stand in rows: a row is seldom full
_GAP = 130.0  # between two columns, with the margins of their cards
_SWEEPS, _FINAL = 8, 3  # of the arrangements that are tried the best few are looked at once more
_FEW = 8  # cards, for which all numbers of columns are tried
BORES = (8, 14, 20, 26)
"""How wide pipes are inside, by rank."""

_BETWEEN_PIPES = 11.0
_MANY = 40  # cards, for which fewer numbers are tried: there it takes longer
_STUB = 26.0  # of a pipe that leads nowhere


@dataclass(frozen=True)
class Pipe:
    """The line that a tunnel takes from the one engine to the other; one with a higher rank is wider."""

    tunnel: Tunnel
    path: Path
    rank: int


@dataclass(frozen=True)
class Layout:
    """A picture with the place of everything, in pixels."""

    picture: Picture
    width: float
    height: float
    boxes: tuple[Box, ...]
    ports: Mapping[InterfaceRef, Port]
    cables: Mapping[Cable, Path]
    pipes: tuple[Pipe, ...]


def layout(picture: Picture) -> Layout:
    """Return where everything of a picture stands."""
    legs = legs_of(picture)
    inside = _inside(legs)
    found = ranks(picture, legs)
    pitch = BORES[max(found.values(), default=0)] + _BETWEEN_PIPES
    cards = {space.name: card_of(space, picture.tunnels) for space in picture.namespaces}
    parts = [_best(names, picture, cards, inside, pitch) for names in _joined_parts(picture)]
    narrowest = max((part.width for part in parts if part.is_single), default=0.0)
    sizes = [(max(part.width, narrowest) if part.is_single else part.width, part.height) for part in parts]
    origins, width, height = _packed(sizes)
    boxes: dict[str, Box] = {}
    ports: dict[InterfaceRef, Port] = {}
    cables: dict[Cable, Path] = {}
    for part, origin in zip(parts, origins, strict=True):
        boxes |= {box.card.namespace.name: box for box in part.boxes(origin, narrowest if part.is_single else 0.0)}
        ports |= {port.ref: port for port in part.ports(boxes)}
        cables |= part.cables(origin, ports)
    plumber = _Plumber(boxes, ports, cables, {name: part for part in parts for name in part.cards})
    pipes = tuple(Pipe(tunnel, plumber.pipe(tunnel, legs), found[tunnel]) for tunnel in picture.tunnels)
    return Layout(
        picture, width, height, tuple(boxes[space.name] for space in picture.namespaces), ports, cables, pipes
    )


def _inside(legs: Legs) -> dict[str, list[Inside]]:
    """Return the legs inside each namespace."""
    found: dict[str, list[Inside]] = defaultdict(list)
    for leg in dict.fromkeys(leg for walk in legs.values() for leg in walk):
        if isinstance(leg, Inside):
            found[leg.start.ref.namespace].append(leg)
    return found


def _joined_parts(picture: Picture) -> Iterator[tuple[str, ...]]:
    """Yield the names of the namespaces that cables hold together, the largest part first."""
    joined = _joined([space.name for space in picture.namespaces], picture.cables)
    parts: list[tuple[str, ...]] = []
    seen: set[str] = set()
    for name in joined:
        if name not in seen:
            part = {*nearest_first(joined, name)}
            seen |= part
            parts.append(tuple(other for other in joined if other in part))
    yield from sorted(parts, key=len, reverse=True)


def _joined(names: Iterable[str], cables: Iterable[Cable]) -> Joined:
    joined: dict[str, Counter[str]] = {name: Counter() for name in names}
    for cable in cables:
        one, other = cable.one.namespace, cable.other.namespace
        if one != other:
            joined[one][other] += 1
            joined[other][one] += 1
    return joined


def _best(
    names: Sequence[str],
    picture: Picture,
    cards: Mapping[str, Card],
    inside: Mapping[str, Sequence[Inside]],
    pitch: float,
) -> Part:
    """Return a part in the best of some arrangements."""
    own = {name: cards[name] for name in names}
    cables = [cable for cable in picture.cables if cable.one.namespace in own and cable.other.namespace in own]
    tried = dict.fromkeys(tuple(choice.items()) for choice in _choices(own, _joined(names, cables)))
    parts = sorted((Part(own, cables, dict(choice), inside, pitch) for choice in tried), key=lambda part: part.cost)
    return min((part.arrange(_SWEEPS) for part in parts[:_FINAL]), key=lambda part: part.cost)


def _choices(cards: Mapping[str, Card], joined: Joined) -> Iterator[dict[str, int]]:
    """Yield ways to put cards into columns: by their number, the card at which to begin, and how level they are."""
    first = next(iter(cards))
    ends = (first, nearest_first(joined, first)[-1], max(cards, key=lambda name: sum(joined[name].values())))
    heights = {name: card.height + CARDS_APART for name, card in cards.items()}
    for number, root, level in product(
        _numbers(cards), dict.fromkeys(ends), LEVELS if len(cards) <= _MANY else LEVELS[:1]
    ):
        for start in dict.fromkeys((0, (number - 1) // 2)):
            chosen = columns(heights, joined, root, number, start, level)
            last = max(chosen.values())
            turned = chosen[first] > last / 2  # what stands first in the file stands on the left
            yield {name: last - at for name, at in chosen.items()} if turned else chosen


def _numbers(cards: Mapping[str, Card]) -> Iterable[int]:
    """Return how many columns are tried."""
    if len(cards) <= _FEW:
        return range(1 if len(cards) == 1 else 2, len(cards) + 1)
    wide = max(card.width for card in cards.values()) + _GAP
    area = sum((card.height + CARDS_APART) * wide for card in cards.values())
    ideal = math.sqrt(area * _SCREEN) / wide
    nearest = (0.8, 1.1) if len(cards) > _MANY else (0.6, 0.8, 1, 1.2, 1.4)
    return sorted({max(2, round(ideal * part)) for part in nearest})


def _packed(sizes: Sequence[tuple[float, float]]) -> tuple[list[Point], float, float]:
    """Return where parts stand, in rows, and how wide and high all is."""
    area = sum((width + _APART) * (height + _APART) for width, height in sizes)
    widest = max(math.sqrt(area * _WIDE), *(width for width, _ in sizes)) + MARGIN
    origins: list[Point] = []
    left, top, row, right = MARGIN, MARGIN, 0.0, 0.0
    for width, height in sizes:
        if left > MARGIN and left + width > widest:
            left, top, row = MARGIN, top + row + _APART, 0.0
        origins.append(Point(left, top))
        left, row = left + width + _APART, max(row, height)
        right = max(right, left - _APART)
    return origins, right + MARGIN, top + row + MARGIN


class _Plumber:
    """Lays the pipes of tunnels, through gutters and along cables."""

    def __init__(
        self,
        boxes: Mapping[str, Box],
        ports: Mapping[InterfaceRef, Port],
        cables: Mapping[Cable, Path],
        parts: Mapping[str, Part],
    ) -> None:
        self._boxes, self._ports, self._parts = boxes, ports, parts
        self._cables = {cable.one: path for cable, path in cables.items()}
        self._cables |= {cable.other: reversed_path(path) for cable, path in cables.items()}

    def pipe(self, tunnel: Tunnel, legs: Legs) -> Path:
        """Return the line of a tunnel; where none of its way is known a short one out of its engine."""
        path: list[tuple[Point, ...]] = []
        for leg in legs[tunnel]:
            path += self._inside(leg) if isinstance(leg, Inside) else self._cables[leg.start]
        return tuple(path) or self._stub(tunnel.device)

    def _stub(self, device: InterfaceRef) -> Path:
        box = self._boxes[device.namespace]
        height = box.y + box.card.engines[device]
        return ((Point(box.end, height), Point(box.x + box.width + _STUB, height)),)

    def _inside(self, leg: Inside) -> Path:
        name = leg.start.ref.namespace
        box, part = self._boxes[name], self._parts[name]
        lanes = part.gutters[name]
        start, end = side_of(leg, part.approach)
        begin, finish = box.y + height_of(box.card, leg.start), box.y + height_of(box.card, leg.end)

        def edge(side: str, engine: bool) -> float:
            if engine:
                return box.text if side == "left" else box.end
            return box.x if side == "left" else box.x + box.width

        def lane(side: str) -> float:
            away = lanes.lane("left" if side == "left" else "right", leg)
            return box.text - away if side == "left" else box.end + away

        across = [box.y + box.height - lanes.strip(leg)] if start != end else []
        stops = [
            Point(edge(start, leg.start.engine), begin),
            Point(lane(start), begin),
            *(Point(lane(side), height) for height in across for side in (start, end)),
            Point(lane(end), finish),
            Point(edge(end, leg.end.engine), finish),
        ]
        return rounded(stops)
