"""Where everything of a picture stands. The same lab is always drawn alike.

Namespaces are cards in columns; cables run in the gaps between the columns, and so never behind a card. Parts of the
lab that no cable joins stand beside one another, in rows.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from labctl.frozen import frozen
from labctl.report.graph.arrangement import best, joined_parts
from labctl.report.graph.cards import card_of
from labctl.report.graph.legs import Inside, Legs, legs_of, ranks
from labctl.report.graph.model import Cable, Picture
from labctl.report.graph.part import Box, Port
from labctl.report.graph.paths import Path, Point
from labctl.report.graph.pipes import BORES, Pipe, Pipes
from labctl.topology.interface_ref import InterfaceRef

MARGIN = 24.0
_APART = 44.0  # parts
_WIDE = 2.0  # what the rows of parts are wide by their height, if each were full
_BETWEEN_PIPES = 11.0


@frozen
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
    parts = [best(names, picture, cards, inside, pitch) for names in joined_parts(picture)]
    narrowest = max((part.width for part in parts if part.is_single), default=0.0)
    widths = [max(part.width, narrowest) if part.is_single else part.width for part in parts]
    origins, width, height = _packed(list(zip(widths, (part.height for part in parts), strict=True)))
    boxes: dict[str, Box] = {}
    ports: dict[InterfaceRef, Port] = {}
    cables: dict[Cable, Path] = {}
    for part, origin in zip(parts, origins, strict=True):
        boxes |= {box.card.namespace.name: box for box in part.boxes(origin, narrowest if part.is_single else 0.0)}
        ports |= {port.ref: port for port in part.ports(boxes)}
        cables |= part.cables(origin, ports)
    pipes = Pipes(boxes, {name: part for part in parts for name in part.cards}, cables)
    in_order = tuple(boxes[space.name] for space in picture.namespaces)
    return Layout(picture, width, height, in_order, ports, cables, tuple(pipes.lay(legs, found)))


def _inside(legs: Legs) -> dict[str, list[Inside]]:
    """Return the legs inside each namespace."""
    found: dict[str, list[Inside]] = defaultdict(list)
    for leg in dict.fromkeys(leg for walk in legs.values() for leg in walk):
        if isinstance(leg, Inside):
            found[leg.start.ref.namespace].append(leg)
    return found


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
