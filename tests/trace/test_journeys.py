"""The sightings of a packet are put together whatever happens to it on the way, and to others meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from labctl.kernel.packet_taps import PacketType, Seen
from labctl.trace.journeys import answers, journeys
from labctl.trace.sightings import Journey, sightings

WAY = ("a:tun0 out", "a:wan0 out", "r:left in", "r:right out", "b:wan0 in", "b:tun1 in")
CARRIED = range(1, 5)  # the stations at which a tunnel carries it
PORTS = frozenset({9000})
clock = count(10**18, 1000)


def at(station: str, packet: Any) -> Seen:
    ref, direction = station.split()
    namespace, interface = ref.split(":")
    kind = PacketType.OUTGOING if direction == "out" else PacketType.HOST
    data = bytes(packet)
    return Seen(next(clock), namespace, interface, kind, isinstance(packet, Ether), len(data), data)


def in_tunnel(packet: Any, ttl: int = 64) -> Any:
    return (
        Ether() / IP(src="10.0.1.1", dst="10.0.2.1", ttl=ttl, id=0) / UDP(sport=9000, dport=9000) / Raw(bytes(packet))
    )


def passing(packet: Any, until: int = len(WAY), way: Sequence[str] = WAY) -> Iterator[Seen]:
    """A packet on its way through a tunnel and a router, lost before the station at index `until`."""
    for index, station in enumerate(way[:until]):
        yield at(station, in_tunnel(packet, 64 - (index > 2)) if index in CARRIED else packet)


def found(seen: Sequence[Seen]) -> list[Journey]:
    return journeys(sightings(sorted(seen, key=lambda each: each.at), PORTS))


def stations(journey: Journey) -> list[str]:
    return [str(each.station) for each in journey.sightings]


ENDS: dict[str, Any] = {"src": "10.0.101.1", "dst": "10.0.102.1"}
few = st.integers(0, 3)
a_packet = st.one_of(
    st.builds(lambda seq, size: IP(**ENDS) / ICMP(id=1, seq=seq) / Raw(bytes(size)), few, st.integers(0, 9)),
    st.builds(
        lambda number, text: IP(**ENDS, id=number, flags="DF") / UDP(sport=5, dport=6) / Raw(text),
        st.integers(0, 2), st.binary(max_size=2),
    ),
    st.builds(lambda seq, flags: IP(**ENDS) / TCP(seq=seq, flags=flags), few, st.sampled_from("SAF")),
    st.builds(lambda seq: IP(**ENDS, id=seq) / TCP(seq=seq * 10) / Raw(bytes(10)), st.integers(0, 5)),
    st.builds(lambda seq: IPv6(src="fd00::1", dst="fd00::2") / ICMPv6EchoRequest(seq=seq), few),
)  # fmt: skip


@settings(max_examples=25)
@given(st.lists(st.tuples(a_packet, st.integers(1, len(WAY))), max_size=8))
def test_each_packet_ends_where_it_was_lost(sent: list[tuple[Any, int]]) -> None:
    seen = [sighting for packet, until in sent for sighting in passing(packet, until)]
    ended = sorted(len(journey.sightings) for journey in found(seen))
    # A packet that equals one that was lost before it goes on where that ended: none can tell them apart.
    assert sum(ended) == sum(until for _, until in sent)
    if len({bytes(packet) for packet, _ in sent}) == len(sent):
        assert ended == sorted(until for _, until in sent)


@settings(max_examples=25)
@given(st.lists(a_packet, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_packets_under_way_together_are_told_apart(sent: list[Any], random: Any) -> None:
    """All are at a station before the first is at the next, in the same order."""
    ways = [list(passing(packet)) for packet in sent]
    seen = [at(WAY[index], Ether(way[index].frame) if way[index].ethernet else Raw(way[index].frame))
            for index in range(len(WAY)) for way in ways]  # fmt: skip
    assert [stations(journey) for journey in found(seen)] == [list(WAY)] * len(sent)


def test_a_copy_is_a_packet_of_its_own() -> None:
    packet = IP(**ENDS, id=7) / ICMP(id=1, seq=1)
    seen = [*passing(packet, 2), *passing(packet)]
    assert [len(journey.sightings) for journey in found(seen)] == [6, 2]


def test_a_router_is_told_by_the_ttl_and_nat_by_the_addresses() -> None:
    came = IP(src="10.0.1.1", dst="10.0.9.9", ttl=64, id=9) / UDP(sport=4000, dport=53) / Raw(b"?")
    went = IP(src="192.0.2.1", dst="10.0.9.9", ttl=63, id=9) / UDP(sport=1024, dport=53) / Raw(b"?")
    answer = IP(src="10.0.9.9", dst="192.0.2.1", id=5) / UDP(sport=53, dport=1024) / Raw(b"?")
    seen = [at("r:lan in", came), at("r:wan out", went), at("b:wan in", went), at("b:wan out", answer)]
    one, other = found(seen)
    assert [tuple(change) for change in one.changes] == [
        ("source", "10.0.1.1", "192.0.2.1"),
        ("ports", "4000 > 53", "1024 > 53"),
        ("TTL", "64", "63"),
    ]
    assert answers(one, other) and not answers(other, other)


def test_an_echo_of_the_payload_is_no_nat() -> None:
    came = IP(src="10.0.1.1", dst="10.0.9.9", ttl=64, flags="DF", id=0) / UDP(sport=7, dport=7) / Raw(b"?")
    back = IP(src="10.0.9.9", dst="10.0.1.1", ttl=63, flags="DF", id=0) / UDP(sport=7, dport=7) / Raw(b"?")
    one, other = found([at("b:wan in", came), at("b:wan out", back)])
    assert answers(one, other) and one.changes == ()


def test_a_loop_is_one_journey() -> None:
    seen = [
        at(station, IP(**ENDS, ttl=ttl, id=3) / ICMP(id=1, seq=1))
        for ttl in range(10, 0, -2)
        for station, ttl in (("r:one in", ttl), ("r:two out", ttl - 1), ("s:two in", ttl - 1), ("s:one out", ttl - 2))
    ]
    (journey,) = found(seen)
    assert len(journey.sightings) == 20


def test_fragments_belong_to_their_packet() -> None:
    packet: Any = IP(**ENDS, id=5) / UDP(sport=1, dport=2) / Raw(bytes(3000))
    inside = IP(**ENDS, id=0, flags="DF") / UDP(sport=1, dport=2) / Raw(bytes(2000))
    outer: Any = IP(src="10.0.1.1", dst="10.0.2.1", id=6) / UDP(sport=9000, dport=9000) / Raw(bytes(inside))
    for whole, parts in ((packet, packet.fragment(1400)), (inside, outer.fragment(1400))):
        (journey,) = found([at("a:tun0 out", whole), *(at("a:wan0 out", Ether() / part) for part in parts)])
        assert len(journey.sightings) == 1 + len(parts) > 2


def segment(sequence: int, size: int, **more: Any) -> Any:
    return IP(**ENDS, id=more.pop("id", 1)) / TCP(sport=1, dport=2, seq=sequence % 2**32, flags="A") / Raw(bytes(size))


def test_what_a_superframe_is_cut_into_belongs_to_it() -> None:
    @settings(max_examples=25)
    @given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 2000), min_size=2, max_size=5))
    def holds(start: int, cuts: list[int]) -> None:
        bounds = [start + sum(cuts[:number]) for number in range(len(cuts) + 1)]
        parts = [segment(begin, end - begin) for begin, end in pairwise(bounds)]
        train = Raw(b"".join(map(bytes, parts)))
        carried = Ether() / IP(src="10.0.1.1", dst="10.0.2.1") / UDP(sport=9000, dport=9000) / train
        whole = segment(start, sum(cuts))
        seen = [at("a:tun0 out", whole), at("a:wan0 out", carried), *(at("b:tun1 in", part) for part in parts)]
        (journey,) = found(seen)
        assert stations(journey) == ["a:tun0 out", "a:wan0 out", *["b:tun1 in"] * len(parts)]

    holds()


def test_what_was_merged_is_a_sighting_of_each() -> None:
    parts = [segment(0, 100), segment(100, 50), segment(150, 1)]
    one = [at("a:tun0 out", part) for part in parts]
    assert [stations(each) for each in found([*one, at("b:tun1 in", segment(0, 151))])] == [
        ["a:tun0 out", "b:tun1 in"]
    ] * 3


def test_what_is_carried_in_one_superframe_with_others_stays_itself() -> None:
    """A train of datagrams that the kernel has not cut yet carries a packet behind that of another."""
    other, one = (IP(**ENDS) / ICMP(id=number, seq=1) / Raw(b"mine") for number in (1, 2))
    train = IP(src="10.0.1.1", dst="10.0.2.1") / UDP(sport=9000, dport=9000) / Raw(bytes(other) + bytes(one))
    seen = [at("a:tun0 out", other), at("a:tun0 out", one), at("a:wan0 out", Ether() / train)]
    echoes = [journey.at_last.echo for journey in found(seen) if journey.at_last]
    assert echoes == [(1, 1), (2, 1)]


def test_a_retransmission_is_a_packet_of_its_own() -> None:
    seen = [*passing(segment(0, 100), 2), *passing(segment(0, 100, id=2))]
    assert [len(journey.sightings) for journey in found(seen)] == [2, 6]


def test_an_icmp_error_is_about_the_packet_that_it_quotes() -> None:
    packet = IP(**ENDS, id=3, flags="DF") / UDP(sport=1, dport=2) / Raw(bytes(100))
    outer = IP(src="10.0.1.1", dst="10.0.2.1", id=4) / UDP(sport=9000, dport=9000) / Raw(bytes(packet))
    for about in (packet, outer):
        error = IP(src="192.0.2.9", dst="10.0.1.1") / ICMP(type=3, code=4, nexthopmtu=100) / Raw(bytes(about)[:40])
        one, other = found([at("a:tun0 out", packet), at("a:wan0 out", Ether() / outer), at("a:wan0 in", error)])
        assert answers(one, other)


def test_neighbour_discovery_is_answered_by_the_neighbour() -> None:
    solicitation = IPv6(src="fd00::1", dst="ff02::1:ff00:2") / ICMPv6ND_NS(tgt="fd00::2")
    advertisements = [IPv6(src="fd00::2", dst="fd00::1") / ICMPv6ND_NA(tgt=target) for target in ("fd00::3", "fd00::2")]
    one, *others = found([at("a:eth0 out", packet) for packet in (solicitation, *advertisements)])
    assert [answers(one, other) for other in others] == [False, True]


def test_arp_is_followed_over_a_bridge() -> None:
    question = Ether(src="02:00:00:00:00:01") / ARP(op=1, hwsrc="02:00:00:00:00:01", psrc="192.0.2.1", pdst="192.0.2.2")
    answer = Ether(src="02:00:00:00:00:02") / ARP(
        op=2, hwsrc="02:00:00:00:00:02", psrc="192.0.2.2", hwdst="02:00:00:00:00:01", pdst="192.0.2.1"
    )
    seen = [at("a:eth0 out", question), at("sw:p1 in", question), at("sw:p2 out", question), at("sw:p2 in", answer)]
    one, other = found(seen)
    assert len(one.sightings) == 3 and answers(one, other)


def test_very_many_packets_that_look_the_same_are_followed_each() -> None:
    data = bytes(Ether(dst="02:00:00:00:00:02") / IP(src="10.0.0.1", dst="10.0.0.2", id=0) / UDP(dport=9) / Raw(b"x"))
    ends = (("a", PacketType.OUTGOING), ("b", PacketType.HOST))
    frames = [Seen(at, name, "eth0", kind, True, len(data), data) for at in range(20_000) for name, kind in ends]
    assert {len(each.sightings) for each in journeys(sightings(frames))} == {2}
