"""Where pipes run inside a card: up and down in gutters at its sides, and across in strips at its foot.

Pipes that have an end in common share a lane of the gutter, where they run into each other; and so do pipes that stand
one above the other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from labctl.report.graph.cards import FOOT, Card
from labctl.report.graph.legs import Inside, Spot
from labctl.topology.interface_ref import InterfaceRef

Side = Literal["left", "right"]
Sides = Mapping[InterfaceRef, Side]
"""At which side of its card the end of a cable is, or from which an engine is reached."""

MARGIN = 16.0  # the width of a gutter without pipes

Bundle = frozenset[Spot]


@dataclass
class Gutters:
    """The lanes of a card, counted from the text outwards, and its strips, counted from the foot upwards.

    `pitch` is the width of a lane and of a strip, in pixels.
    """

    pitch: float
    bundles: Mapping[Inside, Bundle]
    lanes: dict[tuple[Side, Bundle], int] = field(default_factory=dict)
    strips: dict[Bundle, int] = field(default_factory=dict)

    def width(self, side: Side) -> float:
        """Return the width of the gutter at a side."""
        used = [lane for (at, _), lane in self.lanes.items() if at == side]
        return MARGIN + self.pitch * (max(used) + 1) if used else MARGIN

    def lane(self, side: Side, leg: Inside) -> float:
        """Return how far from the text a pipe runs."""
        return self.pitch * (self.lanes[side, self.bundles[leg]] + 0.6)

    def strip(self, leg: Inside) -> float:
        """Return how far from the lower edge a pipe crosses the card."""
        return FOOT + self.pitch * (self.strips[self.bundles[leg]] + 0.4)


def side_of(leg: Inside, sides: Sides) -> tuple[Side, Side]:
    """Return at which sides a leg begins and ends: an engine is reached from where the other end is."""
    start, end = sides.get(leg.start.ref), sides.get(leg.end.ref)
    if leg.start.engine and not leg.end.engine:
        start = end
    elif leg.end.engine and not leg.start.engine:
        end = start
    return start or end or "right", end or start or "right"


def with_engines(sides: Sides, legs: Iterable[Inside]) -> Sides:
    """Return the sides of ports, and of engines: where the first port is that it is joined to."""
    found = dict(sides)
    for leg in legs:
        for spot, other in ((leg.start, leg.end), (leg.end, leg.start)):
            if spot.engine and other.ref in sides:
                found.setdefault(spot.ref, sides[other.ref])
    return found


def crossing(legs: Iterable[Inside], sides: Sides) -> int:
    """Return how many strips a card needs."""
    bundles = _bundles(list(legs))
    return len({bundle for leg, bundle in bundles.items() if len({*side_of(leg, sides)}) == 2})


def gutters(card: Card, legs: Sequence[Inside], sides: Sides, pitch: float) -> Gutters:
    """Return the lanes of a card for the legs in it."""
    found = Gutters(pitch, _bundles(legs))
    spans: dict[Side, dict[Bundle, list[float]]] = {"left": defaultdict(list), "right": defaultdict(list)}
    for leg, bundle in found.bundles.items():
        start, end = side_of(leg, sides)
        if start != end:
            found.strips.setdefault(bundle, len(found.strips))
        for side, spot in ((start, leg.start), (end, leg.end)):
            spans[side][bundle] += [height_of(card, spot)] + ([card.height] if start != end else [])
    for side, bundles in spans.items():
        lanes: list[list[tuple[float, float]]] = []
        for bundle, heights in sorted(bundles.items(), key=lambda item: (max(item[1]) - min(item[1]), min(item[1]))):
            span = (min(heights) - pitch / 2, max(heights) + pitch / 2)
            lane = next((number for number, taken in enumerate(lanes) if _is_free(span, taken)), len(lanes))
            if lane == len(lanes):
                lanes.append([])
            lanes[lane].append(span)
            found.lanes[side, bundle] = lane
    return found


def _bundles(legs: Sequence[Inside]) -> dict[Inside, Bundle]:
    """Return with what each leg shares its lane: a port that others use as well, or else nothing."""
    uses = Counter(spot for leg in legs for spot in (leg.start, leg.end) if not spot.engine)
    found: dict[Inside, Bundle] = {}
    for leg in legs:
        ports = sorted(spot for spot in (leg.start, leg.end) if not spot.engine)
        busiest = max(ports, key=lambda spot: uses[spot], default=None)
        alone = busiest is None or uses[busiest] == 1
        found[leg] = frozenset((leg.start, leg.end) if alone or busiest is None else (busiest,))
    return found


def _is_free(span: tuple[float, float], taken: Iterable[tuple[float, float]]) -> bool:
    return all(span[1] <= top or bottom <= span[0] for top, bottom in taken)


def height_of(card: Card, spot: Spot) -> float:
    """Return the distance of an end of a leg from the top of the card."""
    return card.engines[spot.ref] if spot.engine else card.ports[spot.ref]
