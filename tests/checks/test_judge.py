"""What counters say about a check: pure functions of two snapshots, made by hand."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.checks import evidence as ev
from labctl.checks.expected import Expected
from labctl.checks.held_back import held_back
from labctl.checks.results import Outcome, Result, State
from labctl.checks.run import Means, NoWatch, run
from labctl.kernel.lookup import NoWay, Way
from labctl.plan.desired import desired
from labctl.plan.facts import LinkCounters
from labctl.process.patience import Patience
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.load import loads
from labctl.topology.model import Check, Topology
from labctl.topology.values import Host

A, B = InterfaceRef("siteA", "tun0"), InterfaceRef("siteB", "tun1")
WAN = InterfaceRef("siteA", "wan0")
THERE = [(A, "tx"), (A, "tun_read"), (A, "udp_sent"), (B, "udp_received"), (B, "tun_written"), (B, "rx")]
BACK = [(B, "tx"), (B, "tun_read"), (B, "udp_sent"), (A, "udp_received"), (A, "tun_written"), (A, "rx")]

LAB = """\
name: lab
namespaces:
  siteA:
    interfaces:
      wan0: {kind: veth, peer: "siteB:wan0", addresses: [192.0.2.1/30]}
      tun0: {kind: tun, addresses: [10.0.101.1/24]}
    routes: [{to: 10.0.102.0/24, dev: tun0}]
  siteB:
    interfaces:
      wan0: {kind: veth, peer: "siteA:wan0", addresses: [192.0.2.2/30]}
      tun1: {kind: tun, addresses: [10.0.102.1/24]}
    routes: [{to: 10.0.101.0/24, dev: tun1}]
ttun:
  - {device: "siteA:tun0", bind: "192.0.2.1:9000", peer: "192.0.2.2:9000"}
  - {device: "siteB:tun1", bind: "192.0.2.2:9000", peer: "192.0.2.1:9000"}
checks: [%s]
"""
PING = '{name: c, ping: {from: siteA, to: 10.0.102.1}, crosses: ["siteA:tun0", "siteB:tun1"]}'
SILENT = PING.replace("crosses", "expect: no-reply, crosses")
QUIET = '{name: c, ping: {from: siteA, to: 10.0.101.1}, quiet: ["siteA:tun0", "siteB:tun1"]}'
NC = 'nc: {from: siteA, to: siteB, address: 10.0.102.1, port: 80%s}, crosses: ["siteA:tun0", "siteB:tun1"]'
TCP = "{name: c, %s}" % (NC % "")
UDP = "{name: c, %s}" % (NC % ", protocol: udp")
UDP_REPLY = "{name: c, %s}" % (NC % ", protocol: udp, reply: hello")
CHATTY = '{name: c, ping: {from: siteA, to: 192.0.2.2}, crosses: ["siteA:wan0"]}'


def lab(check: str) -> tuple[Topology, Check]:
    topology = loads(LAB % check, "lab.yaml")
    return topology, topology.checks[0]


def snapshot(counts: Mapping[tuple[InterfaceRef, str], int]) -> ev.Snapshot:
    """A snapshot with these numbers and zeros elsewhere; `tx` and `rx` are of the interface, others of its engine."""
    links: dict[InterfaceRef, LinkCounters] = {A: LinkCounters(), B: LinkCounters(), WAN: LinkCounters()}
    engines: dict[InterfaceRef, dict[str, int]] = {A: {}, B: {}}
    for (ref, name), number in counts.items():
        if name in ("tx", "rx"):
            links[ref] = replace(links[ref], **{f"{name}_packets": number})
        else:
            engines[ref][name if "_" in name and name.startswith(("in_", "out_", "icmp_")) else f"{name}_packets"] = (
                number
            )
    return ev.Snapshot(links, engines)


def counts(*rows: tuple[list[tuple[InterfaceRef, str]], int]) -> dict[tuple[InterfaceRef, str], int]:
    return {place: number for places, number in rows for place in places}


def judged(check: str, after: Mapping[tuple[InterfaceRef, str], int]) -> Any:
    topology, asked = lab(check)
    return Expected.of(desired(topology), asked).judge(ev.Meanwhile(snapshot({}), snapshot(after)))


class Kernel:
    """A kernel that answers as it is told to: every look-up of a namespace alike."""

    def __init__(self, ways: Mapping[str, Way], silent: str) -> None:
        self._ways, self._silent = ways, silent

    def way(self, namespace: str, to: Host) -> Way | NoWay:
        return self._ways.get(namespace, NoWay(errno.ENETUNREACH, ""))

    def resolved(self, ref: InterfaceRef, neighbour: str) -> bool:
        return neighbour != self._silent


def test_a_ping_holds_with_its_number_at_every_place_there_and_back() -> None:
    assert judged(PING, counts((THERE, 3), (BACK, 3))).holds


@pytest.mark.parametrize("place", [*THERE, *BACK])
@pytest.mark.parametrize("number", [0, 2, 4])
def test_a_ping_fails_with_another_number_at_any_place(place: tuple[InterfaceRef, str], number: int) -> None:
    verdict = judged(PING, {**counts((THERE, 3), (BACK, 3)), place: number})
    assert [found.observed for found in verdict.evidence if not found.holds] == [number]


def test_only_what_was_counted_meanwhile_counts() -> None:
    topology, asked = lab(PING)
    before = counts((THERE, 1000), (BACK, 70))
    after = counts((THERE, 1003), (BACK, 73))
    assert Expected.of(desired(topology), asked).judge(ev.Meanwhile(snapshot(before), snapshot(after))).holds


@pytest.mark.parametrize("check", [PING, SILENT, TCP, QUIET])
@pytest.mark.parametrize("others", [0, 1, 7])
def test_packets_that_were_seen_to_be_of_others_are_taken_off(check: str, others: int) -> None:
    topology, asked = lab(check)
    expected = Expected.of(desired(topology), asked)
    there, back = {PING: (3, 3), SILENT: (3, 0), TCP: (5, 4), QUIET: (0, 0)}[check]
    after = snapshot(counts((THERE, there + others), (BACK, back + others)))
    crossed = ev.Crossed({}, dict.fromkeys(expected.points, others))
    found = expected.judge(ev.Meanwhile(snapshot({}), after, crossed))
    assert found.holds and {each.others for each in found.evidence} == {others}
    assert {each.observed for each in found.evidence} == {there, back}


@pytest.mark.parametrize(("check", "place", "holds"), [(CHATTY, WAN, True), (PING, A, False)])
def test_what_cannot_be_read_may_carry_the_probe_where_the_least_number_is_asked_for(
    check: str, place: InterfaceRef, holds: bool
) -> None:
    """As with IPsec: what is seen is none of the probe's by its headers."""
    topology, asked = lab(check)
    expected = Expected.of(desired(topology), asked)
    after = {(place, "tx"): 3, (place, "rx"): 3} if check == CHATTY else counts((THERE, 3), (BACK, 3))
    crossed = ev.Crossed(others=dict.fromkeys(expected.points, 3), opaque=dict.fromkeys(expected.points, 3))
    found = expected.judge(ev.Meanwhile(snapshot({}), snapshot(after), crossed))
    assert found.holds is holds
    unread = replace(crossed, opaque={})
    assert not expected.judge(ev.Meanwhile(snapshot({}), snapshot(after), unread)).holds


@pytest.mark.parametrize(
    ("check", "there", "back", "holds"),
    [(SILENT, 3, 2, True), (SILENT, 5, 0, False), (PING, 3, 5, False), (QUIET, 0, 2, False)],
)
def test_a_refusal_is_no_reply_and_is_counted_where_it_may_not_pass(
    check: str, there: int, back: int, holds: bool
) -> None:
    """An ICMP error that comes back through a tunnel: no reply came, but its interfaces were not quiet."""
    topology, asked = lab(check)
    expected = Expected.of(desired(topology), asked)
    refused = expected.there if there == 5 else expected.quiet or expected.back
    crossed = ev.Crossed(own=dict.fromkeys(refused, 2), refusals=dict.fromkeys(refused, 2))
    after = snapshot(counts((THERE, there), (BACK, back)))
    assert expected.judge(ev.Meanwhile(snapshot({}), after, crossed)).holds is holds


def test_what_was_seen_of_others_and_not_counted_is_not_taken_off() -> None:
    """An engine that is stopped has read nothing, whatever waits in its device."""
    topology, asked = lab(PING)
    expected = Expected.of(desired(topology), asked)
    crossed = ev.Crossed(dict.fromkeys(expected.there, 3), dict.fromkeys(expected.there, 5))
    found = expected.judge(ev.Meanwhile(snapshot({}), snapshot({(A, "tx"): 3}), crossed))
    assert {each.observed for each in found.evidence} == {0, 3} and not any(each.others for each in found.evidence)


def test_no_reply_means_none_on_the_way_back() -> None:
    assert judged(SILENT, counts((THERE, 3))).holds
    assert not judged(SILENT, counts((THERE, 3), (BACK, 1))).holds


@pytest.mark.parametrize("place", [*THERE, *BACK])
def test_one_packet_anywhere_breaks_the_quiet(place: tuple[InterfaceRef, str]) -> None:
    assert judged(QUIET, {}).holds
    assert not judged(QUIET, {place: 1}).holds


@settings(max_examples=25)  # each is judged fourteen times
@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(1, 1000))
def test_a_connection_must_be_conserved_at_the_engines_and_seen_at_the_devices(
    out: int, back: int, device: int
) -> None:
    found = counts((THERE, out), (BACK, back)) | {(ref, way): device for ref in (A, B) for way in ("tx", "rx")}
    assert judged(TCP, found).holds
    for place in (p for p in (*THERE, *BACK) if p[1] not in ("tx", "rx")):
        assert not judged(TCP, {**found, place: found[place] + 1}).holds
        assert not judged(TCP, {**found, place: 0}).holds
    for place in ((A, "tx"), (B, "rx"), (B, "tx"), (A, "rx")):
        assert not judged(TCP, {**found, place: 0}).holds


def test_a_connection_that_never_was_does_not_hold() -> None:
    assert not judged(TCP, {}).holds


def test_one_datagram_is_one_packet_and_its_answer_another() -> None:
    assert judged(UDP, counts((THERE, 1))).holds
    assert not judged(UDP, counts((THERE, 1), (BACK, 1))).holds
    assert judged(UDP_REPLY, counts((THERE, 1), (BACK, 1))).holds
    assert not judged(UDP_REPLY, counts((THERE, 1))).holds


@pytest.mark.parametrize(("number", "holds"), [(2, False), (3, True), (4, True)])
def test_an_interface_that_speaks_arp_may_carry_more_but_not_less(number: int, holds: bool) -> None:
    assert judged(CHATTY, {(WAN, "tx"): number, (WAN, "rx"): number}).holds is holds


@pytest.mark.parametrize("reason", ["in_not_from_peer", "in_empty"])
@pytest.mark.parametrize("check", [PING, QUIET, TCP])
def test_what_strangers_send_to_an_engine_does_not_judge_the_probe(check: str, reason: str) -> None:
    good = {} if check == QUIET else counts((THERE, 3), (BACK, 3))
    strange = {(ref, name): 7 for ref in (A, B) for name in (reason, "udp_received")}
    assert judged(check, {place: good.get(place, 0) + strange.get(place, 0) for place in {**good, **strange}}).holds


@pytest.mark.parametrize(("silent", "passed"), [("192.0.2.2", False), ("192.0.2.9", True)])
def test_requests_for_an_address_that_were_never_sent_on_are_no_packets_that_went(silent: str, passed: bool) -> None:
    counted = {(WAN, "tx"): 3}
    check = CHATTY.replace("name: c", "name: c, expect: no-reply")
    assert verdict(check, Tools("silent"), counted, silent=silent).passed is passed


@pytest.mark.parametrize(("silent", "held"), [("192.0.2.2", True), ("198.51.100.2", True), ("198.51.100.9", False)])
def test_packets_may_wait_for_a_neighbour_at_each_namespace_that_is_to_pass_them_on(silent: str, held: bool) -> None:
    written = {"from": "siteA", "to": "siteB", "address": "198.51.100.2", "port": 80}
    crosses = ["siteA:wan0", "router:one", "router:two", "siteB:wan0"]
    check = Check.read({"name": "c", "nc": written, "expect": "not-delivered", "crosses": crosses})
    ways = {"siteA": Way("wan0", "192.0.2.2", "192.0.2.1", False), "router": Way("two", None, "198.51.100.1", False)}
    assert held_back(check, Kernel(ways, silent)) is held


class Tools:
    """Probes that end as they are told to, one after the other."""

    def __init__(self, *states: State) -> None:
        self._states: Iterator[State] = iter(states)

    def prepare(self, checks: object) -> None:
        pass

    def ask(self, probe: object) -> Outcome:
        return Outcome(next(self._states), "seen")

    def typed(self, probe: object) -> str:
        return "ping"


def verdict(check: str, tools: Tools, *after: Mapping[tuple[InterfaceRef, str], int], silent: str = "") -> Any:
    topology, asked = lab(check)
    snapshots = [snapshot({}), *map(snapshot, after)]
    kernel = Kernel({"siteA": Way("wan0", None, "192.0.2.1", False)}, silent)
    observe = lambda _: snapshots.pop(0) if len(snapshots) > 1 else snapshots[0]  # noqa: E731
    return next(run(desired(topology), [asked], Means(tools, NoWatch(), observe, kernel, Patience)))


class Busy(NoWatch):
    """There are more packets of others than can be looked at, in so many tries of a check."""

    def __init__(self, tries: int) -> None:
        self._tries, self.begun = tries, 0

    def begin(self, check: Check) -> None:
        self.begun += 1

    def missed(self) -> int:
        return 7 if self.begun <= self._tries else 0


@pytest.mark.parametrize(
    ("tries", "counted", "passed", "outcome"),
    [
        (1, counts((THERE, 3), (BACK, 3)), True, "answered"),
        (1, {}, False, "answered"),  # all that was counted is known, and it is not what the check asks for
        (9, counts((THERE, 3), (BACK, 3)), True, "answered"),  # as if nobody had looked
        (9, counts((THERE, 9), (BACK, 9)), False, "undecided"),
        (9, {}, False, "undecided"),
    ],
)
def test_where_others_are_too_many_to_be_looked_at_a_check_is_asked_once_more_and_may_stay_undecided(
    tries: int, counted: dict[tuple[InterfaceRef, str], int], passed: bool, outcome: str
) -> None:
    topology, asked = lab(PING)
    busy, looks = Busy(tries), itertools.cycle([snapshot({}), snapshot(counted)])
    means = Means(Tools("answered", "answered"), busy, lambda _: next(looks), Kernel({}, ""), Patience)
    result = next(run(desired(topology), [asked], means))
    assert (result.passed, result.outcome, result.asked) == (passed, outcome, outcome != "undecided")
    assert busy.begun == 2


def test_silence_is_no_less_wrong_for_what_others_do() -> None:
    topology, asked = lab(PING)
    means = Means(Tools("silent", "silent"), Busy(9), lambda _: snapshot({}), Kernel({}, ""), Patience)
    result = next(run(desired(topology), [asked], means))
    assert (result.outcome, result.asked) == ("silent", True)


def run_all(text: str, tools: Tools) -> list[Result]:
    """The results of all checks of a lab in which no packets are counted."""
    topology = loads(text, "lab.yaml")
    means = Means(tools, NoWatch(), lambda _: snapshot({}), Kernel({}, ""), Patience)
    return list(run(desired(topology), topology.checks, means))


def test_a_reply_without_the_packets_is_no_pass() -> None:
    assert not verdict(PING, Tools("answered"), {}).passed


def test_the_packets_without_a_reply_are_no_pass() -> None:
    assert not verdict(PING, Tools("silent"), counts((THERE, 3), (BACK, 3))).passed


def test_counters_that_trail_the_reply_are_waited_for() -> None:
    assert verdict(PING, Tools("answered"), {}, counts((THERE, 2)), counts((THERE, 3), (BACK, 3))).passed


def test_a_check_that_may_wait_is_asked_again() -> None:
    late = CHATTY.replace("name: c", "name: c, wait: 30").replace(', crosses: ["siteA:wan0"]', "")
    assert verdict(late, Tools("silent", "unasked", "answered"), {}).passed


QUIET_WAN = """{name: c, ping: {from: siteA, to: 10.0.102.1}, quiet: ["siteA:wan0"]}"""


def test_a_neighbour_that_asks_while_a_check_is_counted_fails_it_not() -> None:
    """An entry of the neighbour table is confirmed anew some seconds after its first use."""
    assert verdict(QUIET_WAN, Tools("answered", "answered"), {(WAN, "rx"): 1, (WAN, "tx"): 1}).passed


def test_packets_that_come_again_fail_a_check() -> None:
    looks = ({(WAN, "rx"): number} for number in itertools.count(1))
    assert not verdict(QUIET_WAN, Tools("answered", "answered"), *itertools.islice(looks, 10_000)).passed


def test_what_is_too_much_in_a_tunnel_is_no_neighbour() -> None:
    assert not verdict(QUIET, Tools("silent"), {(A, "tun_read"): 1}).passed


def test_a_check_that_may_not_wait_is_asked_once() -> None:
    once = CHATTY.replace(', crosses: ["siteA:wan0"]', "")
    assert not verdict(once, Tools("silent"), {}).passed


@pytest.mark.parametrize(("passed", "message"), [(True, "well done"), (False, "look there")])
def test_the_message_of_the_file_is_told_with_the_verdict(passed: bool, message: str) -> None:
    check = CHATTY.replace(', crosses: ["siteA:wan0"]', ", pass: well done, fail: look there")
    assert verdict(check, Tools("answered" if passed else "silent"), {}).message == message


def test_the_words_for_a_failure_are_told_only_where_they_can_be_the_reason() -> None:
    check = PING.replace("name: c", "name: c, fail: look there")
    assert verdict(check, Tools("answered"), {}).message == "", "the answer came: it is the counts that do not hold"
    assert verdict(check, Tools("unasked"), {}).message == ""
    assert verdict(check, Tools("differs"), {}).message == "look there"


UNCOUNTED = CHATTY.replace(', crosses: ["siteA:wan0"]', "")
EXPECTED = {None: "answered", "reply": "answered", "no-reply": "silent", "not-sent": "not-sent"}


@pytest.mark.parametrize("expect", EXPECTED)
@pytest.mark.parametrize("state", get_args(State))
def test_a_check_passes_with_the_one_outcome_that_it_expects(expect: str | None, state: State) -> None:
    check = UNCOUNTED if expect is None else UNCOUNTED.replace("name: c", f"name: c, expect: {expect}")
    result = verdict(check, Tools(state), {})
    assert (result.passed, result.outcome) == (state == EXPECTED[expect], state)


@pytest.mark.parametrize("expect", ["reply", "no-reply", "not-sent"])
def test_what_could_not_be_asked_is_told_as_that(expect: str) -> None:
    check = UNCOUNTED.replace("name: c", f"name: c, expect: {expect}")
    assert not verdict(check, Tools("unasked"), {}).asked
    assert all(verdict(check, Tools(state), {}).asked for state in ("answered", "differs", "silent"))
    assert verdict(check, Tools("not-sent"), {}).asked is (expect != "no-reply")
