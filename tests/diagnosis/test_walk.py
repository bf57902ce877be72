"""The order of questions, over facts that are written by hand: what is named, what is refuted, what is not known."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest

from labctl.diagnosis import fixes, unmet_bounds, walk
from labctl.diagnosis.facts import Case, File, Space
from labctl.diagnosis.grouping import by_cause
from labctl.diagnosis.path import Asked, Kind, Paths
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.symptoms import without_symptoms
from labctl.diagnosis.verdict import Verdict
from labctl.engine.packets.impairment import Impairment
from labctl.kernel.lookup import NoWay, Way
from labctl.kernel.qdiscs import Counted
from labctl.kernel.traffic_control import Queue, TrafficControl
from labctl.plan import steps
from labctl.plan.change import Change
from labctl.plan.facts import Link, Neighbour
from labctl.plan.routes import Route
from labctl.topology.interface_ref import InterfaceRef
from tests.diagnosis.cases import (
    CHECKS,
    followed,
    healthy,
    named,
    number_of,
    topology,
    with_engine,
    with_link,
    with_space,
    with_way,
)


@pytest.mark.parametrize(("lab", "check"), CHECKS)
def test_a_lab_that_is_as_its_file_says_has_no_cause_at_any_stage(lab: str, check: str) -> None:
    case = healthy(topology(lab), check, 0)
    for number in range(len(case.stages)):
        assert named(walk.explained(case, number)) == set(), case.stages[number]


@pytest.mark.parametrize(("lab", "check"), CHECKS)
def test_where_nothing_explains_a_loss_it_is_unknown_between_two_places(lab: str, check: str) -> None:
    whole = healthy(topology(lab), check)
    for seen in range(len(whole.stages)):
        found = walk.verdicts(followed(whole, seen))
        assert {verdict.reason for verdict in found} == {Reason.UNKNOWN}
        assert all(verdict.fix == "" and "not known" in verdict.words for verdict in found)
        for verdict in found:
            one, _, other = verdict.hop.partition(" and ")
            assert one != other and verdict.where.startswith(f"between {verdict.hop}" if other else "")
            assert (f"lost between {verdict.hop};" if other else f"lost at {one};") in verdict.words
            assert not any(witness.value.startswith(("1 packets", "1 answers")) for witness in verdict.evidence)


def test_a_way_to_an_address_that_no_namespace_has_ends_where_it_is_not_passed_on() -> None:
    paths, nowhere = Paths(topology("two-site")), ip_address("10.0.102.9")
    last = paths.stages(Asked("siteA", nowhere))[-1]
    assert (last.kind, str(last.ref), last.leaves, last.by_file) == (Kind.FORWARD, "siteB:tun1", "", False)
    assert paths.stages(Asked("siteA", nowhere, answered=False))[-1].kind is Kind.WRITE  # it is meant to end there


TUNNEL = ("two-site", "ping-across-a-to-b")


@pytest.mark.parametrize(
    ("counted", "reasons"),
    [
        (Counted(9), {Reason.UNKNOWN}),
        (Counted(9, drops=1), {Reason.IMPAIRED}),
        (Counted(9, waiting=1), {Reason.IMPAIRED}),
    ],
)
def test_netem_is_named_where_it_has_dropped_or_holds_packets(counted: Counted, reasons: set[Reason]) -> None:
    delay = Impairment(delay=0.01)
    case = with_link(healthy(topology("two-site"), "underlay", 0), "siteA:wan0", netem=delay)
    control = TrafficControl((Queue("netem", "root", counted, delay),), ())
    found = walk.verdicts(with_space(case, "siteA", control={"wan0": control}))
    assert {verdict.reason for verdict in found} == reasons


@pytest.mark.parametrize(("outcome", "seen"), [("answered", None), ("silent", Kind.DELIVER)])
def test_what_took_packets_that_tcp_has_sent_again_is_named(outcome: str, seen: Kind | None) -> None:
    """The last of them was seen everywhere, or came too late."""
    case = replace(healthy(topology("two-site"), "hello-over-tcp-a-to-b"), outcome=outcome)
    case = at(case, seen, "siteB") if seen else case
    assert {verdict.reason for verdict in walk.verdicts(case)} == {Reason.UNKNOWN}
    sent = case.engines[InterfaceRef.typed("siteA:tun0")].counted
    lossy = with_engine(case, "siteA:tun0", counted={**sent, "out_lost": 2}, impaired={"out": "loss 30%"})
    assert named(walk.verdicts(lossy)) == {("siteA:tun0", "impaired")}


def at(case: Case, kind: Kind, namespace: str, depth: int = 0, back: bool = False) -> Case:
    """The same case, in which packets were seen up to before a stage."""
    return followed(case, number_of(case, kind, namespace, depth, back))


def no_way(number: int) -> NoWay:
    return NoWay(number, "")


CAUSES: dict[str, tuple[Callable[[Case], Case], tuple[str, str]]] = {
    "engine ended": (
        lambda case: with_engine(at(case, Kind.DELIVER, "siteB", 1), "siteB:tun1", alive=False),
        ("siteB:tun1", "engine-ended"),
    ),
    "engine stopped": (
        lambda case: with_engine(at(case, Kind.READ, "siteA"), "siteA:tun0", stopped=True),
        ("siteA:tun0", "engine-stopped"),
    ),
    "nobody reads the TUN": (
        lambda case: with_space(at(case, Kind.READ, "siteA"), "siteA", readers={}),
        ("siteA:tun0", "engine-not-reading"),
    ),
    "peer elsewhere": (
        lambda case: with_engine(at(case, Kind.DELIVER, "siteB", 1), "siteA:tun0", peer="10.0.2.1:9001"),
        ("siteA:tun0", "engine-sends-elsewhere"),
    ),
    "stranger": (
        lambda case: with_engine(at(case, Kind.DELIVER, "siteB", 1), "siteB:tun1", peer="10.0.1.1:9001"),
        ("siteB:tun1", "stranger"),
    ),
    "own datagrams come back": (
        lambda case: with_engine(at(case, Kind.READ, "siteA"), "siteA:tun0", counted={"out_routing_loop": 3}),
        ("siteA:tun0", "routing-loop"),
    ),
    "impairment": (
        lambda case: with_engine(
            at(case, Kind.READ, "siteA"), "siteA:tun0", counted={"out_lost": 3}, impaired={"out": "loss 90%"}
        ),
        ("siteA:tun0", "impaired"),
    ),
    "link down": (
        lambda case: with_link(at(case, Kind.SEND, "siteA", 1), "siteA:wan0", up=False, carrier=False),
        ("siteA:wan0", "link-down"),
    ),
    "other end down": (
        lambda case: with_link(
            with_link(at(case, Kind.SEND, "siteA", 1), "siteA:wan0", carrier=False), "siteB:wan0", up=False
        ),
        ("siteB:wan0", "link-down"),
    ),
    "no route": (
        lambda case: with_way(at(case, Kind.SEND, "siteA"), 0, no_way(errno.ENETUNREACH)),
        ("siteA", "no-route"),
    ),
    "no route back": (
        lambda case: with_way(
            at(case, Kind.DELIVER, "siteB"),
            number_of(case, Kind.SEND, "siteB", 0, True),
            no_way(errno.ENETUNREACH),
        ),
        ("siteB", "no-route"),
    ),
    "route elsewhere": (
        lambda case: with_way(
            at(case, Kind.SEND, "siteA"), 0, Way("wan0", "192.0.2.2", None, False, route=Route("10.0.102.1/32"))
        ),
        ("siteA", "route-elsewhere"),
    ),
    "blackhole": (
        lambda case: with_way(
            at(case, Kind.SEND, "siteA"), 0, NoWay(errno.EINVAL, "", Route("10.0.102.1/32", type="blackhole"))
        ),
        ("siteA", "route-rejects"),
    ),
    "another leg of a multipath route": (
        lambda case: with_way(
            at(case, Kind.SEND, "siteA"), 0, Way("wan0", "192.0.2.2", None, False, route=Route("10.0.102.0/24"))
        ),
        ("siteA", "route-elsewhere"),
    ),
    "made a port of another bridge": (
        lambda case: _bridged(at(case, Kind.DELIVER, "siteB", 1), "siteB", "wan0"),
        ("siteB:wan0", "port-not-forwarding"),
    ),
    "address gone": (
        lambda case: _without_address(at(case, Kind.DELIVER, "siteB"), "siteB", "tun1"),
        ("siteB:tun1", "address-missing"),
    ),
    "address on another interface of the namespace": (
        lambda case: _moved_address(at(case, Kind.DELIVER, "siteB"), "siteB", "wan0", "dummy1"),
        ("siteB:wan0", "address-elsewhere"),
    ),
    "interface under another name": (
        lambda case: _renamed(at(case, Kind.SEND, "siteA", 1), "siteB", "wan0", "eth9"),
        ("siteB:wan0", "interface-missing"),
    ),
    "cable leads elsewhere": (
        lambda case: with_link(
            with_link(at(case, Kind.CROSS, "siteB", 1), "siteA:wan0", peer=InterfaceRef("siteB", "old")),
            "siteB:wan0",
            peer=InterfaceRef("siteB", "stray"),
        ),
        ("siteA:wan0", "cabled-elsewhere"),
    ),
    "wrong neighbour": (
        lambda case: with_space(
            at(case, Kind.CROSS, "siteB", 1),
            "siteA",
            neighbours={"wan0": [Neighbour("192.0.2.2", "02:00:00:00:00:99", "permanent")]},
        ),
        ("siteA:wan0", "neighbour-wrong"),
    ),
    "echo ignored": (
        lambda case: with_space(
            at(case, Kind.DELIVER, "siteB"), "siteB", settings={"net/ipv4/icmp_echo_ignore_all": "1"}
        ),
        ("siteB", "echo-ignored"),
    ),
}


def _beside(case: Case) -> Case:
    """The case beside others, whose packets the engines have passed on."""
    for device in ("siteA:tun0", "siteB:tun1"):
        case = with_engine(case, device, counted={"udp_sent_packets": 900, "udp_received_packets": 900})
    return case


def test_what_others_fill_has_dropped_a_packet_though_the_engine_passes_theirs() -> None:
    whole = healthy(topology(TUNNEL[0]), TUNNEL[1])
    queue = with_space(at(whole, Kind.READ, "siteA"), "siteA", unsent={"tun0": 7})
    assert named(walk.verdicts(_beside(queue))) == {("siteA:tun0", "socket-buffer")}
    full = [replace(each, drops=7) for each in whole.spaces["siteB"].sockets]
    buffer = with_space(at(whole, Kind.DELIVER, "siteB", 1), "siteB", sockets=full, moved={"UdpRcvbufErrors": 7})
    assert named(walk.verdicts(_beside(buffer))) == {("siteB", "socket-buffer")}
    assert named(unmet_bounds.verdicts(queue)) == {("siteA:tun0", "socket-buffer")}  # many packets, not looked at
    assert named(unmet_bounds.verdicts(buffer)) == {("siteB", "socket-buffer")}


def test_a_connection_that_sent_again_was_dropped_where_a_queue_was_full() -> None:
    case = healthy(topology("two-site"), "hello-over-tcp-a-to-b")
    found = walk.verdicts(replace(with_space(case, "siteA", unsent={"tun0": 3}), outcome="answered"))
    assert named(found) == {("siteA:tun0", "socket-buffer")}
    assert named(walk.verdicts(replace(case, outcome="answered"))) == {("siteA", "unknown")}


def _bridged(case: Case, namespace: str, interface: str) -> Case:
    space = case.spaces[namespace]
    bridge = Link("mine", "bridge", True, True, "up", 1500)
    return with_link(
        with_space(case, namespace, links={**space.links, "mine": bridge}), f"{namespace}:{interface}", master="mine"
    )


def _moved_address(case: Case, namespace: str, left: str, has: str) -> Case:
    """The case with the addresses of an interface on another one, which the way back to their network follows."""
    addresses = case.spaces[namespace].addresses
    moved = with_space(case, namespace, addresses={**addresses, left: [], has: [*addresses[has], *addresses[left]]})
    back = number_of(moved, Kind.SEND, namespace, 1, True)
    return with_way(moved, back, Way(has, None, None, False, route=Route("192.0.2.0/30")))


def _renamed(case: Case, namespace: str, before: str, after: str) -> Case:
    """The case with an interface under another name, down, as its cable shows that leads there."""
    links = dict(case.spaces[namespace].links)
    link = links.pop(before)
    renamed = with_space(case, namespace, links={**links, after: replace(link, name=after, up=False)})
    return with_link(renamed, str(link.peer), peer=InterfaceRef(namespace, after), carrier=False)


def _without_address(case: Case, namespace: str, interface: str) -> Case:
    space = case.spaces[namespace]
    bare = with_link(case, f"{namespace}:{interface}", local=())
    return with_space(bare, namespace, addresses={**space.addresses, interface: []})


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_is_named_with_its_hop(cause: str) -> None:
    broken, expected = CAUSES[cause]
    found = walk.verdicts(broken(healthy(topology(TUNNEL[0]), TUNNEL[1])))
    assert named(found) == {expected}
    assert all(verdict.evidence and verdict.words and verdict.fix for verdict in found)


def test_what_packets_have_passed_is_no_cause() -> None:
    """The interface went down after the packets had been seen behind it."""
    case = with_link(at(healthy(topology(TUNNEL[0]), TUNNEL[1]), Kind.DELIVER, "siteB"), "siteA:tun0", up=False)
    assert ("siteA:tun0", "link-down") not in named(walk.explained(case, number_of(case, Kind.DELIVER, "siteB")))


def test_a_namespace_that_another_has_taken_the_name_of_is_removed_first() -> None:
    case = at(healthy(topology(TUNNEL[0]), TUNNEL[1]), Kind.SEND, "siteA", 1)
    found = walk.verdicts(replace(case, spaces={**case.spaces, "siteB": Space(gone=True, remade=True)}))
    assert named(found) == {("siteB", "interface-missing")}
    assert found[0].fix == "labctl exec siteA -- ip netns del siteB && labctl up lab.yaml"


def test_a_probe_that_could_not_be_sent_is_not_lost() -> None:
    case = followed(healthy(topology(TUNNEL[0]), TUNNEL[1]), 0)
    found = walk.verdicts(replace(case, outcome="unasked", observed="nothing could be sent: No buffer space"))
    assert named(found) == {("siteA", "not-started")}
    assert found[0].words == "nothing could be sent: No buffer space"


def test_a_second_cause_on_the_way_is_named_along_with_the_first() -> None:
    case = at(healthy(topology(TUNNEL[0]), TUNNEL[1]), Kind.SEND, "siteA")
    both = with_engine(with_way(case, 0, no_way(errno.ENETUNREACH)), "siteB:tun1", alive=False)
    assert named(walk.verdicts(both)) == {("siteA", "no-route"), ("siteB:tun1", "engine-ended")}


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EHOSTUNREACH, errno.EACCES])
def test_an_errno_with_several_meanings_is_no_reason(number: int) -> None:
    case = with_way(at(healthy(topology(TUNNEL[0]), TUNNEL[1]), Kind.SEND, "siteA"), 0, no_way(number))
    assert {verdict.reason for verdict in walk.verdicts(case)} == {Reason.UNKNOWN}


def test_the_reverse_path_filter_needs_its_setting_and_another_way_back() -> None:
    whole = healthy(topology("routed"), "underlay")
    number = number_of(whole, Kind.FORWARD, "r1")
    case = with_way(followed(whole, number), number, no_way(errno.EINVAL))
    elsewhere = replace(case, returns={case.stages[number]: Way("b", None, None, False)})
    on = with_space(elsewhere, "r1", settings={"net/ipv4/conf/a/rp_filter": "1"})
    assert named(walk.verdicts(on)) == {("r1:a", "rp-filter")}
    same = replace(on, returns={case.stages[number]: Way("a", None, None, False)})
    for refuted in (elsewhere, same):
        assert {verdict.reason for verdict in walk.verdicts(refuted)} == {Reason.UNKNOWN}


def verdict_of(hop: str, reason: Reason) -> Verdict:
    return Verdict(hop, reason, "words", (), "")


def test_what_follows_from_another_cause_in_its_namespace_is_left_out() -> None:
    gone, lost = verdict_of("siteB:tun1", Reason.ADDRESS_MISSING), verdict_of("siteB", Reason.NO_ROUTE)
    elsewhere = verdict_of("siteA", Reason.NO_ROUTE)
    assert without_symptoms([gone, lost, elsewhere]) == [gone, elsewhere]


def test_checks_that_fail_for_one_cause_are_told_once() -> None:
    one, other = verdict_of("siteB:tun1", Reason.ENGINE_ENDED), verdict_of("a and b", Reason.UNKNOWN)
    found = by_cause([("first", [other, one]), ("second", [one])])
    assert [(verdict.reason, verdict.checks) for verdict in found] == [
        (Reason.ENGINE_ENDED, ("first", "second")),
        (Reason.UNKNOWN, ("first",)),
    ]


def test_of_a_lab_without_a_file_no_file_is_named() -> None:
    lab, check = CHECKS[0]
    case = healthy(topology(lab), check)
    without = replace(case, file=File(""))
    assert (fixes.up(case), fixes.up(without)) == ("labctl up lab.yaml", "labctl status")
    assert fixes.write(without, "namespaces", text="write more") == "in its topology: write more"


ROUTE = steps.AddRoute("siteB", Route("10.0.101.0/24", dev="tun1"))


@pytest.mark.parametrize(
    ("different", "hop", "told"),
    [
        ([steps.SetUp("siteB", "tun1")], "siteB:tun1", "labctl exec siteB -- ip link set dev tun1 up"),
        (
            [steps.SetUp("siteB", "tun1"), ROUTE, steps.SetUp("siteA", "tun0"), steps.SetUp("siteB", "wan0")],
            "siteB:tun1",
            "labctl exec siteB -- ip link set dev tun1 up && "
            "labctl exec siteB -- ip route add 10.0.101.0/24 dev tun1 proto static",
        ),
        ([steps.SetSysctl("siteB", "net.ipv4.ip_forward", "1")], "siteB",
         "labctl exec siteB -- sysctl -qw net/ipv4/ip_forward=1"),
        ([ROUTE, steps.DeleteAddress("siteB", "tun1", "10.0.9.1/24")], "siteB",
         "labctl exec siteB -- ip route add 10.0.101.0/24 dev tun1 proto static"),
        ([steps.DeleteAddress("siteB", "tun1", "10.0.9.1/24")], "siteB:tun1",
         "labctl exec siteB -- ip addr del 10.0.9.1/24 dev tun1"),
        ([steps.SetMtu("siteB", "wan0", 1500), steps.NoAutomaticAddresses("siteB", "wan0")], "siteB:wan0",
         "labctl exec siteB -- ip link set dev wan0 mtu 1500"),
        ([steps.AddNamespace("siteB")], "siteB", "labctl status"),
        ([ROUTE] * 4, "siteB", "labctl status"),
        ([], "siteB:tun1", "labctl status"),
    ],
)  # fmt: skip
def test_of_a_lab_without_a_file_the_commands_that_mend_the_place_are_told(
    different: list[steps.Step], hop: str, told: str
) -> None:
    lab, check = CHECKS[0]
    case = replace(healthy(topology(lab), check), changes=tuple(Change(step, "differs") for step in different))
    told_status = Verdict(hop, Reason.LINK_DOWN, "", (), "labctl status")
    assert fixes.by_hand(replace(case, file=File("")), told_status).fix == told
    assert fixes.by_hand(case, told_status) == told_status
