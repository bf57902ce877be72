"""How a packet moves through a picture: along which lines, and how far, by the interfaces at which it was seen.

Inside of a tunnel a packet moves along the tunnel, which lies around the cables that carry it. Only what was seen is
shown: a packet that ends on the way goes as far as the last interface that saw it.
"""

from __future__ import annotations

from collections.abc import Iterator

from labctl.frozen import frozen
from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.ladder import Hop, Ladder
from labctl.trace.sightings import Journey
from labctl.web.lines import Lines, Way


@frozen
class Leg:
    """A move along a line; `until` is where it ends on the way, None where it is whole. Times in ns since the epoch."""

    way: Way
    began: int
    ended: int
    until: InterfaceRef | None = None


def legs(journey: Journey, lines: Lines) -> Iterator[Leg]:
    """Yield the moves of a packet in their order."""
    within: Way | None = None
    entered: Way | None = None
    began, last = 0, journey.first
    for sighting, *_ in journey.passages:
        ref = sighting.station.ref
        if within is not None:
            if ref == within.to and not sighting.station.outgoing:
                yield Leg(within, began, sighting.at)
                within = None
        elif sighting.station.outgoing:
            within, entered = lines.tunnels.get(ref), lines.cables.get(ref)
            began = sighting.at
        elif entered is not None and ref == entered.to:
            yield Leg(entered, began, sighting.at)
            entered = None
        last = sighting
    if within is not None:
        yield Leg(within, began, last.at, last.station.ref)
    elif entered is not None:
        yield Leg(entered, began, last.at, last.station.ref)


ENDED = (Hop.LOST, Hop.DROPPED)


def as_json(ladder: Ladder, lines: Lines, after: int | None) -> dict[str, object] | None:
    """Return how a page moves a packet, None where it passed no line that is drawn.

    `after` is the index of the one that it answers. What ends on the way without being lost was not seen any further.
    """
    moved = list(legs(ladder.journey, lines))
    lost = ladder.end in ENDED
    shown = [leg for leg in moved if leg.until is None or lost]
    if not shown:
        return None
    packet = ladder.journey.packet
    return {
        "legs": [
            {
                "line": leg.way.line,
                "back": leg.way.back,
                "ms": round((leg.ended - leg.began) / 1e6, 3),
                **({"until": str(leg.until)} if leg.until else {}),
            }
            for leg in shown
        ],
        "kind": packet.protocol_name if packet else "ARP",
        "lost": lost,
        **({"after": after} if after is not None else {}),
    }
