"""The model of a running lab: what comes in, and what happens with it."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import get_args, get_type_hints

from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.counters import NAMES
from labctl.engine.packets.address import Address
from labctl.live import readings as r
from labctl.live.events import Event
from labctl.live.readings import ProgramState
from labctl.live.state import LabState
from labctl.plan import notifications as n
from labctl.plan.engine_spec import EngineSpec
from labctl.plan.facts import LinkCounters, Neighbour
from labctl.plan.routes import DEFAULT_RULES, Route, Rule
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.program_ref import ProgramRef
from tests.e2e.world import REPO
from tests.live.following import run

TUN = InterfaceRef("a", "tun0")
SPEC = EngineSpec(TUN, Address("10.0.0.1", 9000), Address("10.0.0.2", 9000))
RECORDED = r.Recorded("root", "/x.yaml", True, ("a", "b"), {TUN: SPEC})
LO = n.LinkThere(1, "lo", "lo", True, True, 65536)
WAN = n.LinkThere(2, "wan0", "veth", True, True, 1500, "02:00:00:00:00:01")
ADDRESS = n.AddressThere(2, "192.0.2.1/30")
ROUTE = Route("10.9.0.0/16", via="192.0.2.2", dev="wan0")
ALL = n.AllThere({1: LO, 2: WAN}, (ADDRESS,), (ROUTE,), DEFAULT_RULES[4])


def told(*notifications: n.Notification) -> list[r.Told]:
    return [r.Told("a", notification) for notification in notifications]


FOLLOWED, _ = run(LabState("lab"), RECORDED, *told(ALL), r.Process(TUN, 7, "running"))


def test_what_is_there_at_first_is_no_news_but_the_lab() -> None:
    assert run(LabState("lab"), RECORDED, *told(ALL), r.Process(TUN, 7, "running"))[1] == ["lab: is up"]


WEB = ProgramRef("a", "web")
WITH_WEB = replace(RECORDED, programs={WEB: "httpd"})


def seen(state: ProgramState, pid: int = 0, restarts: int = 0, ended: str = "") -> r.ProgramSeen:
    return r.ProgramSeen(WEB, state, pid, restarts, ended)


def test_a_program_starts_ends_and_starts_again() -> None:
    state, happened = run(FOLLOWED, WITH_WEB, seen("running", 8), seen("waiting", ended="ended with exit code 1"))
    assert happened == ["program: a:web started (PID 8)", "program: a:web ended with exit code 1 (PID 8)"]
    assert (state.programs[WEB].state, state.programs[WEB].ended) == ("waiting", "ended with exit code 1")
    again = seen("running", 9, 1)
    state, happened = run(state, again, again, seen("stopped", 9, 1), again)
    assert happened == [f"program: a:web {change} (PID 9)" for change in ("started", "stopped", "continued")]
    state, happened = run(
        state, seen("running", 10, 2, "ended by SIGABRT"), seen("ended", ended="ended by SIGKILL"), RECORDED
    )
    assert happened == [
        "program: a:web ended by SIGABRT (PID 9)",
        "program: a:web started (PID 10)",
        "program: a:web ended by SIGKILL (PID 10)",
        "program: a:web removed",
    ]
    assert state.programs == {}


def test_a_program_that_ends_at_once_is_told_each_time() -> None:
    """Nobody has seen it run."""
    ends = [seen("waiting", 0, number, f"ended with exit code {number}") for number in (0, 1, 1, 3)]
    _, happened = run(FOLLOWED, WITH_WEB, *ends)
    assert happened == [f"program: a:web ended with exit code {number}" for number in (0, 1, 3)]


def test_a_program_that_runs_at_first_is_no_news_and_one_that_does_not_is() -> None:
    assert run(LabState("lab"), WITH_WEB, seen("running", 8))[1] == ["lab: is up"]
    assert run(LabState("lab"), WITH_WEB, seen("ended", ended="ended by SIGTERM"))[1] == [
        "lab: is up",
        "program: a:web ended by SIGTERM",
    ]


def test_an_engine_that_has_ended_before_is_news() -> None:
    assert run(LabState("lab"), RECORDED, r.Process(TUN, 7, "ended"))[1] == [
        "lab: is up",
        "engine: a:tun0 ended (PID 7)",
    ]


def test_a_link_changes() -> None:
    down = replace(WAN, up=False, carrier=False)
    other = replace(WAN, name="w", mtu=1400, master=1, mac="02:00:00:00:00:02")
    _, words = run(FOLLOWED, *told(down, WAN, replace(WAN, carrier=False), WAN, other, n.LinkGone(2, "w")))
    assert words == [
        "link: a:wan0 down",
        "link: a:wan0 up",
        "link: a:wan0 no-carrier",
        "link: a:wan0 carrier",
        "link: a:w name wan0 -> w",
        "link: a:w mtu 1500 -> 1400",
        "link: a:w mac 02:00:00:00:00:01 -> 02:00:00:00:00:02",
        "link: a:w master none -> lo",
        "link: a:w removed",
    ]


def test_addresses_routes_rules_and_neighbours_come_and_go() -> None:
    rule = Rule("inet", 100, to="10.9.0.0/16", table="100")
    tentative = n.AddressThere(2, "fe80::1/64", ("tentative",))
    duplicate = n.AddressThere(2, "fe80::1/64", ("tentative", "dadfailed"))
    changes: list[n.Notification] = [
        tentative,
        replace(tentative, flags=()),
        duplicate,
        n.AddressGone(2, "192.0.2.1/30"),
        n.RouteGone(ROUTE),
        n.RouteThere(ROUTE),
        n.RoutesAre(()),
        n.RuleThere(rule),
        n.RuleGone(rule),
        n.NeighbourThere(2, Neighbour("192.0.2.2", "", "failed")),
        n.NeighbourThere(2, Neighbour("192.0.2.2", "02:00:00:00:00:09", "reachable")),
        n.OtherChange("qdisc"),
    ]
    twice = [change for change in changes for _ in range(2)]
    for several in (changes, twice):
        assert run(FOLLOWED, *told(*several))[1] == [
            "address: a:wan0 fe80::1/64 added",
            "address: a:wan0 fe80::1/64 duplicate",
            "address: a:wan0 192.0.2.1/30 removed",
            "route: a 10.9.0.0/16 via 192.0.2.2 dev wan0 removed",
            "route: a 10.9.0.0/16 via 192.0.2.2 dev wan0 added",
            "route: a 10.9.0.0/16 via 192.0.2.2 dev wan0 removed",
            "rule: a 100: from all to 10.9.0.0/16 lookup 100 added",
            "rule: a 100: from all to 10.9.0.0/16 lookup 100 removed",
            "neighbour: a:wan0 192.0.2.2 does not answer",
            "neighbour: a:wan0 192.0.2.2 answers again",
        ]


def test_an_engine_ends_and_another_one_is_started() -> None:
    states: list[r.Reading] = [r.Process(TUN, 7, state) for state in ("stopped", "running", "ended", "ended")]
    _, words = run(FOLLOWED, *states, RECORDED, r.Process(TUN, 8, "running"), replace(RECORDED, engines={}))
    assert words == [
        "engine: a:tun0 stopped (PID 7)",
        "engine: a:tun0 continued (PID 7)",
        "engine: a:tun0 ended (PID 7)",
        "engine: a:tun0 started (PID 8)",
        "engine: a:tun0 removed (PID 8)",
    ]


def test_a_lab_goes_down_and_comes_up_again() -> None:
    begun = replace(RECORDED, complete=False, namespaces=("a",), engines={})
    after, words = run(FOLLOWED, r.NotThere(), r.NotThere(), begun, *told(ALL), RECORDED, r.Process(TUN, 9, "running"))
    assert words == ["lab: is down", "lab: is being made", "lab: is up", "engine: a:tun0 started (PID 9)"]
    assert after.interface(InterfaceRef("a", "wan0")) is not None
    down, _ = run(FOLLOWED, r.NotThere())
    assert down == LabState("lab", at=down.at)


def test_a_namespace_goes_and_another_one_takes_its_name() -> None:
    after, words = run(FOLLOWED, r.NamespaceGone("a"), r.NamespaceGone("a"), *told(ALL))
    assert words == ["namespace: a removed", "namespace: a added"]
    assert after.spaces["a"].links == FOLLOWED.spaces["a"].links


def test_packets_that_are_dropped_are_told_by_their_reason() -> None:
    counted = r.Counted({"a": {2: LinkCounters(rx_dropped=3)}}, {TUN: {**dict.fromkeys(NAMES, 0), "out_refused": 4}})
    more = r.Counted({"a": {2: LinkCounters(rx_dropped=4)}}, {TUN: {**counted.engines[TUN], "out_refused": 6}})
    _, words = run(FOLLOWED, counted, more, more)
    assert words == [
        "drop: a:wan0 1 packet dropped by the interface, on the way in",
        "drop: a:tun0 2 packets refused by the peer's host: no program has that port",
    ]


def test_impairments_checks_and_drift_are_told_when_they_change() -> None:
    one = r.Difference("a:wan0", "MTU 1500", "is 1400", "ip ...")
    silent = r.Checked("across", "failed", "no reply")
    lost = replace(silent, why="lost at a:wan0")
    _, words = run(
        FOLLOWED,
        *(r.Impaired(TUN, {"out": "loss 10%"}),) * 2,
        r.Impaired(TUN, {}),
        *(r.Checked("across", "passed", "1 reply"),) * 2,
        *(silent,) * 2,
        *(lost,) * 2,
        silent,
        r.Compared(()),
        *(r.Compared((one,)),) * 2,
        r.Compared(()),
    )
    assert words == [
        "impairment: a:tun0 out none -> loss 10%",
        "impairment: a:tun0 out loss 10% -> none",
        "check: across passed: 1 reply",
        "check: across failed: no reply",
        "check: across failed: lost at a:wan0",
        "drift: a:wan0: MTU 1500 (is 1400) appeared",
        "drift: a:wan0: MTU 1500 (is 1400) gone",
    ]


def test_what_is_said_of_a_lab_that_is_not_known_to_be_there_is_told_after_that() -> None:
    """Who runs the checks may be faster than who says that the lab is up, and the lab that was up may just be down."""
    checked = r.Checked("across", "passed", "1 reply")
    early = (r.Listed(("across",)), checked, r.Compared((r.Difference("a:wan0", "MTU 1500", "is 1400", "ip ..."),)))
    assert run(LabState("lab"), *early, RECORDED, checked)[1] == ["lab: is up", "check: across passed: 1 reply"]
    assert run(FOLLOWED, r.NotThere(), *early)[1] == ["lab: is down"]


def test_checks_that_are_no_more_have_no_verdict() -> None:
    checked = r.Checked("across", "passed", "1 reply")
    after, words = run(FOLLOWED, r.Listed(("across", "back")), checked, r.Listed(("back", "new")))
    assert words == ["check: across passed: 1 reply"]
    assert [(one.name, one.verdict) for one in after.checks.values()] == [("back", None), ("new", None)]


def test_since_when_a_check_has_its_verdict() -> None:
    after, _ = run(FOLLOWED, *(r.Checked("across", "failed", "no reply"),) * 3)
    assert after.at - after.checks["across"].since == 2


links = st.builds(
    n.LinkThere, st.integers(1, 4), st.sampled_from(["x", "y"]), st.just("veth"), *[st.booleans()] * 2, st.just(1500)
)
addresses = st.builds(n.AddressThere, st.integers(1, 4), st.sampled_from(["10.0.0.1/24", "fe80::1/64"]))
routes = st.sampled_from([ROUTE, replace(ROUTE, metric=5), replace(ROUTE, to="0.0.0.0/0")])
rules = st.sampled_from(DEFAULT_RULES[4])
alls = st.builds(
    n.AllThere,
    st.lists(links).map(lambda several: {link.index: link for link in several}),
    st.lists(addresses, unique=True).map(tuple),
    st.lists(routes, unique=True).map(tuple),
    st.lists(rules, unique=True).map(tuple),
)
notifications = st.one_of(
    links,
    addresses,
    alls,
    st.builds(n.LinkGone, st.integers(1, 4), st.just("x")),
    st.builds(n.AddressGone, st.integers(1, 4), st.sampled_from(["10.0.0.1/24", "fe80::1/64"])),
    st.builds(n.RouteThere, routes),
    st.builds(n.RouteGone, routes),
    st.builds(n.RuleThere, rules),
    st.builds(n.RuleGone, rules),
)


def as_told(state: LabState) -> n.AllThere:
    """All that is there by the model, as the kernel would tell it."""
    space = state.spaces["a"]
    return n.AllThere(
        {index: interface.link for index, interface in space.links.items()},
        tuple(address for interface in space.links.values() for address in interface.addresses),
        space.routes,
        space.rules,
    )


@given(st.lists(notifications))
def test_to_look_again_at_what_is_known_is_no_event(changes: list[n.Notification]) -> None:
    state, _ = run(FOLLOWED, *told(*changes))
    again, words = run(state, *told(n.Overrun(), as_told(state)))
    assert words == ["missed: a: some changes came too fast to be told one by one"]
    assert again.spaces == state.spaces and again.overruns == state.overruns + 1


@given(st.lists(notifications), st.lists(notifications))
def test_what_was_missed_is_found_by_looking_again(before: list[n.Notification], missed: list[n.Notification]) -> None:
    """However a state was reached, the events from another one to it are those of looking once at the end."""
    start, _ = run(FOLLOWED, *told(*before))
    end, _ = run(start, *told(*missed))
    looked, words = run(start, *told(as_told(end)))
    assert as_told(looked) == as_told(end)
    back, undone = run(looked, *told(as_told(start)))
    assert as_told(back) == as_told(start)
    assert bool(words) == bool(undone)


@given(st.lists(notifications))
def test_of_a_lab_that_is_not_followed_nothing_is_known(changes: list[n.Notification]) -> None:
    state, words = run(LabState("lab"), *told(*changes), r.Counted({"a": {1: LinkCounters()}}, {TUN: {}}))
    assert (words, state.spaces) == ([], {})


def test_every_event_is_in_the_page_of_commands() -> None:
    page = (REPO / "docs/commands.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (`.+`) \| `(.+)` \|$", page, re.MULTILINE)
    documented = {kind: (set(re.findall(r"`([\w-]+)`", changes)), keys.split(", ")) for kind, changes, keys in rows}
    for event in get_args(Event):
        hints = get_type_hints(event)
        keys = [field.name for field in fields(event) if field.name != "change"]
        assert documented.pop(event.kind) == (set(get_args(hints["change"])), keys), event
    assert documented == {}
