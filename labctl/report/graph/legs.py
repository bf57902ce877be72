"""The legs of a tunnel: what its datagrams pass, from the one engine to the other, inside namespaces and over cables.

A tunnel whose datagrams go into another tunnel has the legs of that one between its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from labctl.frozen import frozen
from labctl.report.graph.model import Picture, Tunnel
from labctl.topology.interface_ref import InterfaceRef


@dataclass(frozen=True, order=True)
class Spot:
    """Where a leg inside a namespace begins or ends: at the end of a cable, or at the engine of a TUN device."""

    ref: InterfaceRef
    engine: bool = False


@frozen
class Inside:
    """A leg through a namespace."""

    start: Spot
    end: Spot


@frozen
class Across:
    """A leg over a cable."""

    start: InterfaceRef
    end: InterfaceRef


Leg = Inside | Across
Legs = Mapping[Tunnel, tuple[Leg, ...]]

MOST_APART = 3
"""So many tunnels in one another can be told apart; more on one cable are drawn as one pipe."""

WIDEST = 3
"""The rank of the widest pipe."""

DEEPEST = 5
"""So many tunnels are followed into one another."""


def legs_of(picture: Picture) -> Legs:
    """Return the legs of every tunnel. Where its way is not known as a whole, legs are missing."""
    return _Walks(picture).legs


class _Walks:
    def __init__(self, picture: Picture) -> None:
        self._cables = {end: cable.ends for cable in picture.cables for end in cable.ends}
        self._tunnels = {tunnel.device: tunnel for tunnel in picture.tunnels}
        self._tunnels |= {tunnel.far: tunnel for tunnel in picture.tunnels if tunnel.both and tunnel.far}
        self.legs = {tunnel: tuple(self._walk(tunnel, frozenset())) for tunnel in picture.tunnels}

    def _walk(self, tunnel: Tunnel, within: frozenset[Tunnel]) -> Iterator[Leg]:
        spots = [Spot(ref, ref not in self._cables) for ref in tunnel.way]
        last = [Spot(tunnel.far, True)] if tunnel.far else []
        stops = [Spot(tunnel.device, True), *spots, *last]
        for start, end in pairwise(stops):
            if start.ref.namespace == end.ref.namespace and not self._is_cable(start, end):
                yield Inside(start, end)
            elif self._is_cable(start, end):
                yield Across(start.ref, end.ref)
            elif start.engine and end.engine:
                yield from self._through(start.ref, end.ref, within | {tunnel})

    def _is_cable(self, start: Spot, end: Spot) -> bool:
        return not (start.engine or end.engine) and end.ref in self._cables[start.ref] and start != end

    def _through(self, start: InterfaceRef, end: InterfaceRef, within: frozenset[Tunnel]) -> Iterator[Leg]:
        """Yield the legs of the tunnel from one TUN device to the other; of one within itself none."""
        inner = self._tunnels.get(start)
        if inner is None or inner in within or {start, end} != {inner.device, inner.far} or len(within) > DEEPEST:
            return
        legs = list(self._walk(inner, within))
        yield from legs if inner.device == start else map(_back, reversed(legs))


def _back(leg: Leg) -> Leg:
    return Across(leg.end, leg.start) if isinstance(leg, Across) else Inside(leg.end, leg.start)


def ranks(picture: Picture, legs: Legs) -> dict[Tunnel, int]:
    """Return how wide the pipe of each tunnel is, from 0 on: wider than those that it goes around."""
    depths = {tunnel: _depth(tunnel, picture, frozenset()) for tunnel in picture.tunnels}
    pieces = {tunnel: {_piece(leg) for leg in legs[tunnel]} for tunnel in picture.tunnels}
    crowds = Counter((piece, depths[tunnel]) for tunnel in picture.tunnels for piece in pieces[tunnel])
    found: dict[Tunnel, int] = {}
    for tunnel in sorted(picture.tunnels, key=lambda tunnel: depths[tunnel]):
        depth = depths[tunnel]
        if any(crowds[piece, depth] > MOST_APART for piece in pieces[tunnel]):
            rank = depth
        else:
            others = {found[other] for other in found if pieces[tunnel] & pieces[other]}
            rank = next(rank for rank in range(depth, len(others) + depth + 1) if rank not in others)
        found[tunnel] = min(rank, WIDEST)
    return found


def _depth(tunnel: Tunnel, picture: Picture, within: frozenset[Tunnel]) -> int:
    """Return in how many other tunnels the datagrams of a tunnel are carried, up to the rank of the widest pipe."""
    if len(within) == WIDEST:
        return 0
    way, within = {*tunnel.way}, within | {tunnel}
    through = (inner for inner in picture.tunnels if inner not in within and {inner.device, inner.far} & way)
    return max((1 + _depth(inner, picture, within) for inner in through), default=0)


def _piece(leg: Leg) -> frozenset[object]:
    return frozenset((leg.start, leg.end))


def shared(legs: Legs) -> Mapping[frozenset[object], int]:
    """Return how many tunnels each cable carries, by its ends."""
    crossed: Iterable[frozenset[object]] = (
        piece for found in legs.values() for piece in {_piece(leg) for leg in found if isinstance(leg, Across)}
    )
    return Counter(crossed)
