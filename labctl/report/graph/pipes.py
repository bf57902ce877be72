"""The lines of tunnels: through the gutters of cards, and along the cables that carry their datagrams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labctl.frozen import frozen
from labctl.report.graph.gutters import Side, height_of, side_of
from labctl.report.graph.legs import Inside, Legs
from labctl.report.graph.model import Cable, Tunnel
from labctl.report.graph.part import Box, Part
from labctl.report.graph.paths import Curve, Path, Point, reversed_path, rounded
from labctl.topology.interface_ref import InterfaceRef

BORES = (8, 14, 20, 26)
"""How wide pipes are inside, by rank, in pixels."""

_WALL = 2
_STUB = 16.0  # of a pipe that leads nowhere


def outside(rank: int) -> int:
    """Return how wide a pipe is with its walls, in pixels."""
    return BORES[rank] + 2 * _WALL


@frozen
class Pipe:
    """The line that a tunnel takes from the one engine to the other; one with a higher rank is wider."""

    tunnel: Tunnel
    path: Path
    rank: int


class Pipes:
    """Lays pipes between cards and cables that have their places."""

    def __init__(self, boxes: Mapping[str, Box], parts: Mapping[str, Part], cables: Mapping[Cable, Path]) -> None:
        self._boxes, self._parts = boxes, parts
        self._cables = {cable.one: path for cable, path in cables.items()}
        self._cables |= {cable.other: reversed_path(path) for cable, path in cables.items()}

    def lay(self, legs: Legs, ranks: Mapping[Tunnel, int]) -> Iterator[Pipe]:
        """Yield the pipe of each tunnel; of whose way nothing is known, a short one out of its engine."""
        for tunnel, walk in legs.items():
            path: list[Curve] = []
            for leg in walk:
                path += self._inside(leg) if isinstance(leg, Inside) else self._cables[leg.start]
            yield Pipe(tunnel, tuple(path) or self._stub(tunnel.device), ranks[tunnel])

    def _stub(self, device: InterfaceRef) -> Path:
        box = self._boxes[device.namespace]
        height = box.y + box.card.engines[device]
        return ((Point(box.end, height), Point(box.x + box.width + _STUB, height)),)

    def _inside(self, leg: Inside) -> Path:
        """Return the line of a leg inside a card: out of an engine or in by a port, along a lane, and so on back."""
        name = leg.start.ref.namespace
        box, part = self._boxes[name], self._parts[name]
        gutters = part.gutters[name]
        start, end = side_of(leg, part.approach)
        begin, finish = box.y + height_of(box.card, leg.start), box.y + height_of(box.card, leg.end)
        lanes = [_outwards(box, side, gutters.lane(side, leg)) for side in (start, end)]
        crossing = [box.y + box.height - gutters.strip(leg)] if start != end else []
        return rounded(
            [
                Point(_edge(box, start, leg.start.engine), begin),
                Point(lanes[0], begin),
                *(Point(lane, height) for height in crossing for lane in lanes),
                Point(lanes[1], finish),
                Point(_edge(box, end, leg.end.engine), finish),
            ]
        )


def _edge(box: Box, side: Side, engine: bool) -> float:
    """Return where a pipe meets an engine, or the port of a cable."""
    if engine:
        return box.text if side == "left" else box.end
    return box.x if side == "left" else box.x + box.width


def _outwards(box: Box, side: Side, distance: float) -> float:
    """Return the place that is so far from the text of a card."""
    return box.text - distance if side == "left" else box.end + distance
