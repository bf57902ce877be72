"""The ladder of a packet: rung by rung what became of it, in the words that Batfish has for the hops of a trace.

A packet is transmitted where it leaves through an interface, received where it comes in, forwarded in between by a
route, and accepted where the namespace that received it answered. An engine encapsulates and decapsulates it, a cable
carries it from one host to another. What was seen says all of that; by which route, what an engine dropped meanwhile,
and whose an interface's other end is, are facts that are asked for (`Facts`).

A ladder ends where the packet was seen last. It is dropped where a witness says so: an ICMP error about it, or a
kernel that takes it nowhere. Without one it is lost, between that and where it should have been seen next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Protocol

from labctl.frozen import frozen
from labctl.kernel.packet_taps import PacketType
from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.dissect import Arp, Icmp, Packet, Tcp
from labctl.trace.encapsulation import carried
from labctl.trace.journeys import answered_in
from labctl.trace.sightings import Change, Journey, Sighting, Station, changed


class Hop(StrEnum):
    """What became of a packet at a rung."""

    TRANSMITTED = "transmitted"
    RECEIVED = "received"
    FORWARDED = "forwarded"
    ENCAPSULATED = "encapsulated"
    DECAPSULATED = "decapsulated"
    CARRIED = "carried"  # by a cable between hosts
    ACCEPTED = "accepted"
    DROPPED = "dropped"
    LOST = "lost"
    UNKNOWN = "unknown"  # it may have gone on: frames were missed


@frozen
class Rung:
    """One step of a packet. `at` is in nanoseconds since the first packet of all; None for what no tap sees."""

    hop: Hop
    namespace: str
    interface: str = ""  # empty where it is the namespace's doing
    at: int | None = None
    within: int = 0  # by so many nanoseconds it may be earlier or later: that is how the clocks of two hosts are known
    frames: int = 1  # at this moment or soon after: fragments, or what a superframe was cut into
    layers: tuple[Packet, ...] = ()  # its headers there, the outermost first
    words: str = ""
    changes: tuple[Change, ...] = ()  # of its headers since the rung before


@frozen
class Ladder:
    """The rungs of a packet. `answer_to` is the number of the packet that it answers, or is an ICMP error about."""

    number: int
    journey: Journey
    rungs: tuple[Rung, ...]
    answer_to: int | None = None

    @property
    def end(self) -> Hop:
        """Return what became of it at last."""
        return self.rungs[-1].hop


class Facts(Protocol):
    """What is asked about a place that a packet passed. Words are empty where nothing is known."""

    def route(self, namespace: str, packet: Packet, arrived: str) -> str:
        """Return the route that takes a packet that arrived at an interface, or that the namespace sends itself."""

    def refusal(self, namespace: str, packet: Packet, arrived: str) -> str:
        """Return why the kernel takes a packet that arrived at an interface nowhere."""

    def receiver(self, leaving: InterfaceRef) -> InterfaceRef | None:
        """Return the interface at the other end of a cable."""

    def engine(self, device: InterfaceRef) -> str | None:
        """Return what an engine did not pass on while the trace ran, or what keeps it from that.

        None where the interface is not the TUN device of an engine.
        """

    def reader(self, namespace: str, port: int) -> InterfaceRef | None:
        """Return the TUN device of the engine of a namespace that is bound to a UDP port."""

    def bridge(self, port: InterfaceRef) -> str:
        """Return the bridge whose port an interface is."""

    def cable(self, arriving: InterfaceRef) -> str:
        """Return the cable between hosts out of which packets come at an interface."""

    def cable_loss(self, leaving: InterfaceRef) -> str:
        """Return what a cable between hosts, into which an interface sends, did not pass on while the trace ran."""

    def within(self, one: str, other: str) -> int:
        """Return by how many nanoseconds a time between two namespaces may be wrong: their hosts have own clocks."""


def ladders(journeys: Sequence[Journey], facts: Facts) -> list[Ladder]:
    """Return the ladder of each journey, numbered from 1 in the order of the journeys."""
    asked = answered_in(journeys)
    answered = {before: index for index, before in asked.items()}
    return [
        Ladder(
            index + 1,
            journey,
            (*_seen(journey, journeys[0].first, facts), *_end(journey, journeys, answered.get(index), facts)),
            asked[index] + 1 if index in asked else None,
        )
        for index, journey in enumerate(journeys)
    ]


def uncertain(found: Sequence[Ladder], why: str) -> list[Ladder]:
    """Return ladders without the conclusion that a packet was lost: it may have gone on."""
    return [
        replace(ladder, rungs=(*ladder.rungs[:-1], replace(ladder.rungs[-1], hop=Hop.UNKNOWN, words=why)))
        if ladder.end is Hop.LOST
        else ladder
        for ladder in found
    ]


MISSED = "frames were missed, it may have gone on unseen"
HELD_BACK = "it may be under way still: an impairment holds packets back"


def _seen(journey: Journey, origin: Sighting, facts: Facts) -> Iterator[Rung]:
    """Yield the rungs of what was seen, and of what must have happened in between."""
    before: Sighting | None = None
    for here, *more in journey.passages:
        station = here.station
        yield from _between(before, here, facts)
        hop = Hop.TRANSMITTED if station.outgoing else Hop.RECEIVED
        begins = before is None and station.outgoing and here.layers
        words = facts.route(station.namespace, here.layers[0], "") if begins else ""
        changes = tuple(changed(before, here)) if before else ()
        frames = 1 + len(more)
        at, within = here.at - origin.at, facts.within(origin.station.namespace, station.namespace)
        yield Rung(hop, station.namespace, station.interface, at, within, frames, here.layers, words, changes)
        before = here


def _between(before: Sighting | None, here: Sighting, facts: Facts) -> Iterator[Rung]:
    """Yield what happened to a packet on a cable between hosts, or inside of a namespace between two sightings."""
    if before is not None and not here.station.outgoing and (cable := facts.cable(here.station.ref)):
        sender = facts.receiver(here.station.ref) or here.station.ref
        yield Rung(Hop.CARRIED, sender.namespace, sender.interface, words=cable)
    if before is None or before.station.namespace != here.station.namespace:
        return
    came, goes = before.station, here.station
    deeper = len(here.layers) - len(before.layers)
    if deeper > 0:
        carrier = here.layers[0]
        yield Rung(Hop.ENCAPSULATED, came.namespace, came.interface, words=facts.route(came.namespace, carrier, ""))
    elif deeper < 0:
        yield Rung(Hop.DECAPSULATED, goes.namespace, goes.interface)
    elif not came.outgoing and goes.outgoing and here.layers:
        # A destination is rewritten before a packet is routed, a source after that (nft(8): prerouting, postrouting).
        packet = replace(before.layers[0], destination=here.layers[0].destination)
        if packet.ttl == here.layers[0].ttl:
            yield Rung(Hop.FORWARDED, goes.namespace, words=facts.bridge(goes.ref))
        else:
            yield Rung(Hop.FORWARDED, goes.namespace, words=facts.route(goes.namespace, packet, came.interface))


def _end(journey: Journey, journeys: Sequence[Journey], answer: int | None, facts: Facts) -> Iterator[Rung]:
    """Yield the last rung, of what became of a packet after it was seen for the last time; none where it is received.

    What is received and asks for no answer may have been accepted or not: no tap sees that.
    """
    last, packet = _last(journey, facts), journey.at_last
    station = last.station
    if answer is not None:
        yield from _answered(station, journeys[answer], answer + 1)
    elif packet is None:
        if isinstance(last.frame.content, Arp) and last.frame.content.is_request:
            yield Rung(Hop.LOST, station.namespace, station.interface, words="no answer was seen")
    elif not station.outgoing:
        yield from _not_answered(last, packet, facts)
    elif (told := facts.engine(station.ref)) is not None:
        words = f"last seen as the engine of {station.ref} was to read it{_and(told)}"
        yield Rung(Hop.LOST, station.namespace, station.interface, words=words)
    else:
        receiver = facts.receiver(station.ref)
        told = facts.cable_loss(station.ref)
        words = f"last seen leaving {station.ref}, not seen at {receiver or 'any other interface'}{_and(told)}"
        yield Rung(Hop.LOST, station.namespace, station.interface, words=words)


def _last(journey: Journey, facts: Facts) -> Sighting:
    """Return where a packet ended: what a bridge sends to every port comes to several hosts, and is for one of them."""
    found = [first for first, *_ in journey.passages]
    for index in range(len(found) - 1, -1, -1):
        here = found[index]
        if here.station.outgoing or here.kind is PacketType.OTHERHOST or facts.bridge(here.station.ref):
            continue
        passed_on = (each.station for each in found[index + 1 :] if each.station.outgoing)
        if all(station.namespace != here.station.namespace for station in passed_on):
            return here
        break
    return found[-1]


def _not_answered(last: Sighting, packet: Packet, facts: Facts) -> Iterator[Rung]:
    """Yield what became of a packet that came in, and was not answered."""
    station, outer = last.station, last.layers[0]
    if bridge := facts.bridge(station.ref):
        yield Rung(Hop.LOST, station.namespace, words=f"came in at a port of {bridge}, not seen leaving by another")
    elif last.kind is PacketType.OTHERHOST:
        words = f"its frame is for {last.frame.destination_mac}, which is another host"
        yield Rung(Hop.DROPPED, station.namespace, station.interface, words=words)
    elif refusal := facts.refusal(station.namespace, outer, station.interface):
        yield Rung(Hop.DROPPED, station.namespace, words=refusal)
    elif (route := facts.route(station.namespace, outer, station.interface)) and not route.startswith(_DELIVERED):
        yield Rung(Hop.LOST, station.namespace, words=f"it came in, not seen leaving by {route}")
    elif carried(outer.protocol, outer.ports, outer.payload):
        yield Rung(Hop.LOST, station.namespace, words="not seen coming out of the tunnel that carries it")
    elif outer.inside:
        device = facts.reader(station.namespace, outer.ports[1] if outer.ports else 0)
        told = facts.engine(device) if device else ""
        whose = f"the engine of {device}" if device else f"no engine of {station.namespace}"
        words = f"{whose} was {'not ' if device else ''}seen to write it{_and(told or '')}"
        yield Rung(Hop.LOST, station.namespace, device.interface if device else "", words=words)
    elif _asks(packet):
        yield Rung(Hop.LOST, station.namespace, words="it came in, and no answer was seen")


_DELIVERED = ("local ", "broadcast ", "anycast ", "multicast ")  # types of routes, ip-route(8)


def _and(told: str) -> str:
    return f"; {told}" if told else ""


def _answered(station: Station, answer: Journey, number: int) -> Iterator[Rung]:
    by = answer.first.station
    message = answer.packet.transport if answer.packet else None
    if isinstance(message, Icmp) and message.is_error:
        yield Rung(Hop.DROPPED, by.namespace, words=f"packet {number} says: ICMP {error_words(message)}")
    elif not station.outgoing and by.namespace == station.namespace:
        words = "refused" if isinstance(message, Tcp) and "RST" in message.flags else "answered"
        yield Rung(Hop.ACCEPTED, station.namespace, words=f"{words} by packet {number}")
    else:
        yield Rung(Hop.ACCEPTED, by.namespace, words=f"answered by packet {number}, though not seen arriving")


def _asks(packet: Packet) -> bool:
    """Return whether a packet asks for an answer by its protocol."""
    transport = packet.transport
    if isinstance(transport, Icmp):
        return transport.kind in ((8,) if packet.version == 4 else (128, 135))
    return isinstance(transport, Tcp) and "SYN" in transport.flags and "ACK" not in transport.flags


_UNREACHABLE = {  # RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1
    0: "network unreachable",
    1: "host unreachable",
    2: "protocol unreachable",
    3: "port unreachable",
    4: "fragmentation needed",
    5: "source route failed",
    9: "network prohibited",
    10: "host prohibited",
    13: "administratively prohibited",
}
_UNREACHABLE6 = {  # RFC 4443 3.1
    0: "no route to destination",
    1: "administratively prohibited",
    2: "beyond scope of source address",
    3: "address unreachable",
    4: "port unreachable",
    5: "source address failed policy",
    6: "reject route to destination",
}


def error_words(message: Icmp) -> str:
    """Return an ICMP error with the meaning of its code and the MTU that it tells."""
    codes = {(3, "destination unreachable"): _UNREACHABLE, (1, "destination unreachable"): _UNREACHABLE6}
    words = codes.get((message.kind, message.name), {}).get(message.code, message.name)
    return f"{words}{f', MTU {message.mtu}' if message.mtu else ''}"
