"""What is said of the clocks of hosts holds whatever they show, and no order of packets contradicts a cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from hypothesis import example, given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import ARP, Ether

from labctl.kernel.packet_taps import PacketType, Seen
from labctl.topology.interface_ref import InterfaceRef
from labctl.trace.clocks import HERE, Crossing, Reading, clocks
from labctl.trace.merging import merged, on_one_clock, passed
from labctl.trace.sightings import Sighting, sightings

HOSTS = ("srv1", "srv2", "srv3")
SECOND = 10**9
times = st.integers(0, 10 * SECOND)
delays = st.integers(1, SECOND // 100)
aheads = st.fixed_dictionaries({host: st.integers(-(10**18), 10**18) for host in HOSTS})
trips = st.fixed_dictionaries({host: st.lists(st.tuples(times, delays, delays), min_size=1) for host in HOSTS})
ways = st.tuples(st.sampled_from(HOSTS), st.sampled_from(HOSTS)).filter(lambda way: way[0] != way[1])
crossings = st.lists(st.tuples(ways, times, delays), max_size=20)


def read(ahead: Mapping[str, int], made: Mapping[str, Sequence[tuple[int, int, int]]]) -> dict[str, list[Reading]]:
    """Return round trips that begin at a time, and take so long there and back."""
    return {
        host: [Reading(at, at + there + ahead[host], at + there + back) for at, there, back in each]
        for host, each in made.items()
    }


@given(aheads, trips, crossings)
def test_no_time_between_hosts_is_more_wrong_than_is_said(
    ahead: dict[str, int],
    made: dict[str, list[tuple[int, int, int]]],
    crossed: list[tuple[tuple[str, str], int, int]],
) -> None:
    seen = [Crossing(one, at + ahead[one], other, at + takes + ahead[other]) for (one, other), at, takes in crossed]
    rough, found = clocks(read(ahead, made)), clocks(read(ahead, made), seen)
    assert found.alike
    for one, other in [(one, other) for one in HOSTS for other in HOSTS]:
        wrong = found.here(other, ahead[other]) - found.here(one, ahead[one])  # both are of the same moment
        assert abs(wrong) <= found.within(one, other)
        assert found.bounds[one, other] <= rough.bounds[one, other], "packets never say less than round trips do"
    for sender, left, receiver, arrived in seen:
        assert found.here(sender, left) <= found.here(receiver, arrived), "it left before it arrived"


def test_packets_both_ways_say_more_of_two_clocks_than_round_trips_do() -> None:
    trips = {"srv1": [Reading(0, 500, 1000)], "srv2": [Reading(0, 9_500, 1000)]}
    there, back = Crossing("srv1", 10_000, "srv2", 19_050), Crossing("srv2", 30_000, "srv1", 21_050)
    rough, found = clocks(trips), clocks(trips, [there, back])
    assert (rough.within("srv1", "srv2"), found.within("srv1", "srv2")) == (1000, 50)
    assert found.within("srv1", "srv1") == 0
    assert found.within(HERE, "srv1") <= 550


@given(aheads, trips, st.integers(SECOND, 10**15))
def test_a_clock_that_was_set_meanwhile_is_found_out_and_claims_nothing_by_packets(
    ahead: dict[str, int], made: dict[str, list[tuple[int, int, int]]], by: int
) -> None:
    before, after = read(ahead, made), read({**ahead, "srv2": ahead["srv2"] + by}, made)
    found = clocks({host: before[host] + after[host] for host in HOSTS}, [Crossing("srv1", 0, "srv2", 0)])
    assert not found.alike
    for moment in (ahead, {**ahead, "srv2": ahead["srv2"] + by}):
        wrong = found.here("srv2", moment["srv2"]) - found.here("srv1", moment["srv1"])
        assert abs(wrong) <= found.within("srv1", "srv2")


CABLES = {InterfaceRef("a", "eth0"): InterfaceRef("b", "eth0"), InterfaceRef("b", "eth0"): InterfaceRef("a", "eth0")}
PLACES = {"srv1": "a", "srv2": "b"}


@cache
def frame(number: int) -> bytes:
    """Return a frame: the requests of ARP are all the same, pings are not."""
    if number < 0:
        return bytes(Ether(src="02:00:00:00:00:01") / ARP(psrc="10.0.0.1", pdst="10.0.0.2"))
    return bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2", id=1 + number) / ICMP(id=7, seq=number))


def at_end(host: str, at: int, data: bytes, outgoing: bool) -> Seen:
    kind = PacketType.OUTGOING if outgoing else PacketType.HOST
    return Seen(at, PLACES[host], "eth0", kind, True, len(data), data)


packets = st.lists(st.tuples(st.booleans(), st.integers(-3, 20), times, delays, st.booleans()), max_size=15)


def crossed(sent: Sequence[tuple[bool, int, int, int, bool]], ahead: Mapping[str, int]) -> dict[str, list[Sighting]]:
    """Return what each host sees of packets: from which, which, when, for how long under way, whether lost."""
    seen: dict[str, list[Seen]] = {"srv1": [], "srv2": []}
    for forth, number, at, takes, lost in sent:
        sender, receiver = ("srv1", "srv2") if forth else ("srv2", "srv1")
        seen[sender].append(at_end(sender, at + ahead[sender], frame(number), True))
        if not lost:
            seen[receiver].append(at_end(receiver, at + takes + ahead[receiver], frame(number), False))
    return {host: sightings(sorted(each, key=lambda one: one.at)) for host, each in seen.items()}


ALIKE = dict.fromkeys(HOSTS, 0)


@given(packets, aheads, trips, aheads)
@example(  # the packet at 3 may be taken for that at 0, and would have left before what it comes after
    [(False, 0, 0, 1, False), (False, 1, 2, 1, False), (True, 0, 0, 1, False), (True, 0, 3, 1, True)],
    ALIKE,
    {"srv1": [(0, 1, 1)], "srv2": [(0, 1, 4)], "srv3": [(0, 1, 1)]},
    ALIKE,
)
def test_what_arrives_comes_after_what_left_whatever_clocks_say(
    sent: list[tuple[bool, int, int, int, bool]],
    ahead: dict[str, int],
    made: dict[str, list[tuple[int, int, int]]],
    claimed: dict[str, int],
) -> None:
    """Also where what is known of the clocks is wrong altogether, the orders of the hosts are kept."""
    found = crossed(sent, ahead)
    for known in (ahead, claimed):
        rough = clocks(read(known, made))
        pairs = passed(found, CABLES, rough)
        told = merged(found, pairs, rough)
        assert [each.at for each in told] == sorted(each.at for each in told)
        order = [(each.station, each.frame) for each in told]
        for host, place in PLACES.items():
            own = [(each.station, each.frame) for each in found[host]]
            assert [each for each in order if each[0].namespace == place] == own
        # Packets look alike: which of them it is, the order of its host says.
        where = {host: [n for n, each in enumerate(order) if each[0].namespace == at] for host, at in PLACES.items()}
        places = {id(each): n for host, own in found.items() for each, n in zip(own, where[host], strict=True)}
        for pair in pairs:
            if pair.is_sure:
                assert places[id(pair.left)] < places[id(pair.arrived)]


@given(packets, aheads, trips)
def test_what_passed_a_cable_never_contradicts_clocks_that_run_alike(
    sent: list[tuple[bool, int, int, int, bool]],
    ahead: dict[str, int],
    made: dict[str, list[tuple[int, int, int]]],
) -> None:
    """What surely passed holds to the nanosecond; of what looks alike, as far as the clocks are known."""
    once = {(forth, number): (forth, number, at, takes, lost) for forth, number, at, takes, lost in sent}
    found = crossed(list(once.values()), ahead)
    exact, told = on_one_clock(found, CABLES, read(ahead, made), complete=True)
    assert exact.alike
    assert [each.at for each in told] == sorted(each.at for each in told)
    pairs = passed(found, CABLES, exact)
    assert len(pairs) == sum(not lost for *_, lost in once.values()), "each that arrived has left"
    for pair in pairs:
        assert exact.earliest(pair.sender, pair.left.at, pair.receiver) <= pair.arrived.at
        if pair.is_sure:
            assert exact.here(pair.sender, pair.left.at) <= exact.here(pair.receiver, pair.arrived.at)


def test_what_surely_passed_tells_apart_what_looks_alike() -> None:
    """A request is answered, and sent again when the answer is there, in vain: by round trips alone it came twice."""
    trips = {host: [Reading(0, 500_000, 1_000_000)] for host in PLACES}
    request, answer, again = (True, -1, 1_000, 100, False), (False, 1, 1_200, 100, False), (True, -1, 1_400, 100, True)
    found = crossed([request, answer, again], dict.fromkeys(PLACES, 0))
    known, told = on_one_clock(found, CABLES, trips, complete=True)
    assert {pair.left.at for pair in passed(found, CABLES, clocks(trips))} == {1_200, 1_400}
    assert {pair.left.at for pair in passed(found, CABLES, known)} == {1_200, 1_000}
    order = [("a", True), ("b", False), ("b", True), ("a", False), ("a", True)]
    assert [(each.station.namespace, each.station.outgoing) for each in told] == order
