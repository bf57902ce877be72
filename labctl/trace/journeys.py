"""Which sightings are of one packet.

A sighting is of the packet that was seen before if what no router changes is the same: addresses, ports, what the
transport header says, identification or payload. TTL, fragments, link-layer addresses and checksums (which a device may
have to complete) do not count. Inside of a tunnel a packet is the payload of UDP, and still the same.

A packet passes a station once. So the same at the same station again is another one, a copy or a retransmission, unless
its TTL has become less: then it goes round in a loop. Packets that cannot be told apart are taken in their order.

TCP payload is known by its sequence numbers. A superframe is one packet with much of it, and what it is cut into, or
merged with, are sightings of it, too, at each station for another part of the payload.

NAT rewrites addresses and ports. What leaves a namespace with new ones is the packet that came in if the rest is the
same, and its TTL is less by one, which only a packet has that was forwarded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence

from labctl.trace.dissect import Arp, Icmp, Packet, Tcp
from labctl.trace.sightings import Journey, Sighting, Station

_COMPARED = 64  # bytes of a payload that make two packets one where there is no identification
_LATEST = 64  # journeys of a flow among which the one with the same payload is looked for


def journeys(found: Iterable[Sighting]) -> list[Journey]:
    """Return the journeys of all packets that were seen, in the order in which they began."""
    matching = _Matching()
    for sighting in found:
        matching.add(sighting)
    return [Journey(each.packet, tuple(each.sightings)) for each in matching.all]


def answers(one: Journey, other: Journey) -> bool:
    """Return whether the second is an answer to the first, or an ICMP error about it, by what their headers say."""
    request, reply = one.at_last, other.packet
    if request is None or reply is None:
        return _answers_arp(one.first.frame.content, other.first.frame.content)
    if reply.quoted is not None:
        quoted = _quotable(reply.quoted)
        return any(_quotable(layer) == quoted for each in one.sightings for layer in each.layers)
    if (request.version, request.protocol) != (reply.version, reply.protocol):
        return False
    if _target(request, 135):
        return _target(request, 135) == _target(reply, 136)
    if (request.source, request.destination) != (reply.destination, reply.source):
        return False
    if isinstance(request.transport, Icmp) and request.echo:
        return request.echo == reply.echo and request.transport.is_echo_request and _kind(reply) in (0, 129)
    if not request.ports or request.ports != (reply.ports or ())[::-1]:
        return False
    return not isinstance(request.transport, Tcp) or _acknowledges(reply, request, request.transport)


def answered_in(found: Sequence[Journey]) -> dict[int, int]:
    """Return by the place of each answer the place of what it answers: the latest packet before it without one."""
    waiting: dict[Hashable, list[int]] = defaultdict(list)
    answered: dict[int, int] = {}
    taken: set[int] = set()
    for index, journey in enumerate(found):
        is_error = journey.packet is not None and journey.packet.quoted is not None
        for before in range(index - 1, -1, -1) if is_error else reversed(waiting[_says(journey)]):
            if before not in taken and answers(found[before], journey):
                answered[index] = before
                taken.add(before)
                break
        waiting[_awaits(journey)].append(index)
    return answered


def _says(journey: Journey) -> Hashable:
    """Return by which headers a packet is known as an answer, unless it is an ICMP error."""
    packet, content = journey.packet, journey.first.frame.content
    if packet is None:
        return (content.sender, content.target) if isinstance(content, Arp) else None
    return _target(packet, 136) or (packet.source, packet.destination, packet.ports, packet.echo)


def _awaits(journey: Journey) -> Hashable:
    """Return what `_says` does of the answer to a packet."""
    packet, content = journey.at_last, journey.first.frame.content
    if packet is None:
        return (content.target, content.sender) if isinstance(content, Arp) else None
    ports = packet.ports and packet.ports[::-1]
    return _target(packet, 135) or (packet.destination, packet.source, ports, packet.echo)


def _acknowledges(reply: Packet, request: Packet, segment: Tcp) -> bool:
    """Return whether a segment acknowledges what another has, or resets its connection (RFC 9293 3.4)."""
    assert isinstance(reply.transport, Tcp)
    if "RST" in reply.transport.flags:
        return True
    has = request.payload_length or {"SYN", "FIN"} & set(segment.flags)
    ahead = (reply.transport.acknowledged - segment.sequence) % 2**32
    return bool(has) and "ACK" in reply.transport.flags and 0 < ahead < 2**31


def identity(packet: Packet) -> Hashable:
    """Return what stays the same of a packet from hop to hop, as long as nothing rewrites it."""
    return (packet.source, packet.destination, packet.ports, packet.echo, _rest(packet))


def _rest(packet: Packet) -> Hashable:
    """Return what stays the same of a packet where NAT rewrites it."""
    transport = packet.transport
    what: Hashable = None
    if isinstance(transport, Tcp):
        what = (transport.sequence, transport.acknowledged, transport.flags)
    elif isinstance(transport, Icmp):
        quoted = _quotable(packet.quoted) if packet.quoted else None
        what = (transport.kind, transport.code, transport.echo and transport.echo[1], quoted)
    alike = packet.identification or (packet.length, packet.payload[:_COMPARED])
    return (packet.version, packet.protocol, packet.fragment_at, what, alike)


def _quotable(packet: Packet) -> Hashable:
    """Return what an ICMP error shows of the packet that it is about."""
    return (packet.source, packet.destination, packet.protocol, packet.identification, packet.ports, packet.echo)


def _kind(packet: Packet) -> int | None:
    return packet.transport.kind if isinstance(packet.transport, Icmp) else None


def _target(packet: Packet, kind: int) -> str:
    """Return whom a message of neighbour discovery is about; empty where the packet is not of that kind."""
    message = packet.transport
    return message.target if isinstance(message, Icmp) and packet.version == 6 and message.kind == kind else ""


def _answers_arp(request: Packet | Arp | None, reply: Packet | Arp | None) -> bool:
    if not (isinstance(request, Arp) and isinstance(reply, Arp)):
        return False
    ends = (request.sender, request.target) == (reply.target, reply.sender)
    return request.is_request and not reply.is_request and ends


def _whole(packet: Packet) -> Hashable:
    """Return what the fragments of a packet have in common (RFC 791 3.2, RFC 8200 4.5)."""
    return (packet.source, packet.destination, packet.protocol, packet.identification)


class _Open:
    """A journey that may go on."""

    def __init__(self, packet: Packet | None) -> None:
        self.packet, self.rest = packet, packet and _rest(packet)
        self.sightings: list[Sighting] = []
        self._passed: dict[Station, list[Packet | None]] = defaultdict(list)

    def passes(self, station: Station, packet: Packet | None) -> bool:
        """Return whether a packet can be this one at a station, and was not there before."""
        before = self._passed.get(station, [])
        return all(not _overlap(each, packet) or _later_in_a_loop(each, packet) for each in before)

    def add(self, sighting: Sighting, packet: Packet | None) -> None:
        self._passed[sighting.station].append(packet)
        if not self.sightings or self.sightings[-1] is not sighting:
            self.sightings.append(sighting)


def _later_in_a_loop(before: Packet | None, after: Packet | None) -> bool:
    return before is not None and after is not None and after.ttl < before.ttl


def _overlap(one: Packet | None, other: Packet | None) -> bool:
    """Return whether two packets of one kind have something in common: of TCP payload, the sequence numbers."""
    if one is None or other is None or not (_has_tcp_payload(one) and _has_tcp_payload(other)):
        return True
    first, second = one.transport, other.transport
    assert isinstance(first, Tcp) and isinstance(second, Tcp)
    ahead = (second.sequence - first.sequence) % 2**32  # RFC 9293 3.4: modulo 2^32
    return ahead < one.payload_length or 2**32 - ahead < other.payload_length


def _has_tcp_payload(packet: Packet) -> bool:
    return isinstance(packet.transport, Tcp) and packet.payload_length > 0


class _Matching:
    def __init__(self) -> None:
        self.all: list[_Open] = []
        self._same: dict[Hashable, list[_Open]] = defaultdict(list)
        self._flows: dict[Hashable, list[_Open]] = defaultdict(list)  # of TCP payload
        self._tried: dict[Hashable, int] = defaultdict(int)  # how many that are the same can take no more of a kind
        self._came_in: dict[Hashable, list[_Open]] = defaultdict(list)  # by namespace, as what may leave it rewritten
        self._fragments: dict[Hashable, list[_Open]] = defaultdict(list)

    def add(self, sighting: Sighting) -> None:
        for packet in sighting.packets or (None,):
            found = self._found(sighting, packet)
            for journey in found:
                journey.add(sighting, packet)
            if not found:
                found = [self._begin(sighting, packet)]
            if packet is not None and not sighting.station.outgoing:
                for journey in found:
                    self._came_in[journey.rest, sighting.station.namespace, packet.ttl].append(journey)
            for layer in sighting.layers:
                if layer.more_fragments and not layer.fragment_at:
                    self._fragments[_whole(layer)] = found

    def _begin(self, sighting: Sighting, packet: Packet | None) -> _Open:
        journey = _Open(packet)
        journey.add(sighting, packet)
        self.all.append(journey)
        self._register(journey, sighting, packet)
        return journey

    def _register(self, journey: _Open, sighting: Sighting, packet: Packet | None) -> None:
        if packet is None:
            self._same[_frame(sighting)].append(journey)
            return
        index = self._flows[_flow(packet)] if _has_tcp_payload(packet) else self._same[identity(packet)]
        index.append(journey)

    def _found(self, sighting: Sighting, packet: Packet | None) -> list[_Open]:
        """Return the journeys of which this is a sighting; more than one where TCP payload was merged."""
        if packet is None:
            return self._first(_frame(sighting), sighting, packet)
        if packet.fragment_at and (found := self._fragments.get(_whole(packet))):
            return found
        if _has_tcp_payload(packet):
            latest = self._flows[_flow(packet)][: -_LATEST - 1 : -1]
            with_it = [each for each in latest if each.packet is not None and _overlap(each.packet, packet)]
            found = [each for each in with_it if each.passes(sighting.station, packet)]
            found = found if _is_merged(packet, found) else found[:1]
        else:
            found = self._first(identity(packet), sighting, packet)
        return found or list(self._translated(sighting, packet))

    def _first(self, same: Hashable, sighting: Sighting, packet: Packet | None) -> list[_Open]:
        """Return the first journey of packets that look the same which this one passes on.

        One that has been at a station with a TTL never is again, so of very many each is tried once.
        """
        among, kind = self._same[same], (same, sighting.station, packet.ttl if packet else 0)
        for number in range(self._tried[kind], len(among)):
            self._tried[kind] += 1
            if among[number].passes(sighting.station, packet):
                return [among[number]]
        return []

    def _translated(self, sighting: Sighting, packet: Packet) -> Iterator[_Open]:
        """Yield the journey that goes on with other addresses or ports, if one does."""
        if not sighting.station.outgoing:
            return
        for journey in self._came_in[_rest(packet), sighting.station.namespace, packet.ttl + 1]:
            last = journey.sightings[-1]
            came = last.packet
            if (
                came is not None
                and last.station.namespace == sighting.station.namespace
                and not last.station.outgoing
                and came.ttl - 1 == packet.ttl
                and (came.source, came.destination) != (packet.destination, packet.source)
            ):
                self._register(journey, sighting, packet)
                yield journey
                return


def _is_merged(packet: Packet, parts: list[_Open]) -> bool:
    """Return whether a packet has the payload of several that do not overlap."""
    held = [each.packet for each in parts]
    return all(not _overlap(one, other) for at, one in enumerate(held) for other in held[:at])


def _flow(packet: Packet) -> Hashable:
    return (packet.source, packet.destination, packet.ports)


def _frame(sighting: Sighting) -> Hashable:
    """Return what stays the same of a frame without an IP packet from port to port of a bridge."""
    return (sighting.frame.protocol, sighting.frame.data)
