"""Which packets are those of a command: what passed its namespace, and what was on the way because of that.

The echo requests that labctl itself sends for a check say so: whose checks are asked all the time, as in a lesson, does
not see them among their own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from labctl.checks.icmp import MARK
from labctl.trace.dissect import NEIGHBOUR, Arp, Icmp, Packet, Tcp
from labctl.trace.journeys import answers
from labctl.trace.sightings import Journey

_IGMP = 2
_OWN_ACCORD = {130, 131, 132, 133, 134, 143}  # ICMPv6 of multicast listeners and routers (RFC 3810, RFC 4861)


def concerning(journeys: Sequence[Journey], namespaces: Collection[str]) -> list[Journey]:
    """Return the packets that passed these namespaces, ICMP errors about them, and ARP and ND that had no answer.

    What a kernel sends of its own accord is left out: multicast listeners, routers, the search for duplicates.
    """
    chosen = [
        journey
        for journey in journeys
        if not _of_own_accord(journey.first.frame.content)
        and any(sighting.station.namespace in namespaces for sighting in journey.sightings)
    ]
    ids = {id(journey) for journey in chosen}
    errors = [one for one in journeys if id(one) not in ids and one.packet and one.packet.quoted]
    ids |= {id(error) for error in errors if any(answers(one, error) for one in chosen)}
    ids |= {id(one) for one in journeys if _is_question(one) and not any(answers(one, other) for other in journeys)}
    return [journey for journey in journeys if id(journey) in ids]


def without(journeys: Sequence[Journey], connections: Collection[tuple[int, int]]) -> list[Journey]:
    """Return the packets that are not of TCP connections between these ports, the lower first."""
    return [
        journey
        for journey in journeys
        if not (
            journey.packet
            and isinstance(journey.packet.transport, Tcp)
            and tuple(sorted(journey.packet.transport.ports)) in connections
        )
    ]


def of_command(journeys: Sequence[Journey]) -> list[Journey]:
    """Return the packets that may be of a command: those of checks are not."""
    return [journey for journey in journeys if not is_of_check(journey)]


def of_check(journeys: Sequence[Journey]) -> list[Journey]:
    """Return the packets that may be of a check: where its echo requests say whose they are, other echoes are not."""
    if not any(map(is_of_check, journeys)):
        return list(journeys)
    return [each for each in journeys if is_of_check(each) or not (each.packet and each.packet.echo)]


def is_of_check(journey: Journey) -> bool:
    """Return whether a packet is an echo request of a check, the reply to it, or an error about it."""
    return journey.packet is not None and has_mark(journey.packet)


def has_mark(packet: Packet) -> bool:
    """Return whether a packet carries what marks the echo requests of checks, or quotes one that does."""
    inner = packet.layers[-1]
    inner = inner.quoted or inner
    return inner.echo is not None and not inner.fragment_at and inner.payload.startswith(MARK)


def is_chatter(packet: Packet) -> bool:
    """Return whether a packet is one of those that kernels exchange about neighbours, routers and groups."""
    transport = packet.transport
    return packet.protocol == _IGMP or (
        packet.version == 6 and isinstance(transport, Icmp) and transport.kind in {*NEIGHBOUR, *_OWN_ACCORD}
    )


def _of_own_accord(content: Packet | Arp | None) -> bool:
    if not isinstance(content, Packet):
        return content is None
    packet = content.layers[-1]
    kind = packet.transport.kind if isinstance(packet.transport, Icmp) and packet.version == 6 else 0
    return packet.protocol == _IGMP or kind in _OWN_ACCORD or (kind in NEIGHBOUR and packet.source == "::")


def _is_question(journey: Journey) -> bool:
    content = journey.first.frame.content
    if isinstance(content, Packet) and isinstance(content.transport, Icmp):
        return content.version == 6 and content.transport.kind == NEIGHBOUR[0] and content.source != "::"
    return isinstance(content, Arp) and content.is_request and content.sender not in ("0.0.0.0", content.target)
