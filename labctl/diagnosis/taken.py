"""Which of several next hops packets take: the file leaves that open, and the kernel decides it for each flow.

What was seen tells it: by which interface the packets left that were lost, or else any. Where none was seen to leave,
the kernel's look-up does, if the flow is known as a whole; of a connection the port of the client is not. Then it is
most likely the interface at which packets wait: it has no carrier, or a neighbour is asked for in vain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from labctl.diagnosis.solicitations import asked_for, told
from labctl.frozen import frozen
from labctl.plan.facts import Namespace
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.routing import Decision
from labctl.trace.sightings import Journey


@frozen
class Taken:
    """Sets of interfaces that packets leave by, the surest first."""

    sure: tuple[frozenset[InterfaceRef], ...] = ()

    def of(self, namespace: str, ways: Sequence[Decision]) -> Decision | None:
        """Return the one of several ways that packets take, the first where nothing tells; None where there is none."""
        return min(ways, key=lambda way: self._rank(InterfaceRef(namespace, way.interface)), default=None)

    def _rank(self, leaving: InterfaceRef) -> int:
        return next((number for number, group in enumerate(self.sure) if leaving in group), len(self.sure))


def left_by(journeys: Iterable[Journey], end: str = "") -> frozenset[InterfaceRef]:
    """Return the interfaces that packets were seen to leave by, but those of packets that have come to their end."""
    lost = (each for each in journeys if each.last.station.namespace != end)
    return frozenset(each.station.ref for journey in lost for each in journey.sightings if each.station.outgoing)


def waiting(every: Iterable[Journey], found: Mapping[str, Namespace]) -> frozenset[InterfaceRef]:
    """Return the interfaces at which packets wait in vain."""
    seen = [each for journey in every for each in journey.sightings]
    asked = {(each.station.ref, asked_for(each)) for each in seen if each.station.outgoing and asked_for(each)}
    answered = {(each.station.ref, told(each)) for each in seen if not each.station.outgoing}
    return frozenset((*_without_carrier(found), *(ref for ref, _ in asked - answered)))


def _without_carrier(found: Mapping[str, Namespace]) -> Iterator[InterfaceRef]:
    for name, space in found.items():
        yield from (InterfaceRef(name, link.name) for link in space.links.values() if link.up and not link.carrier)
