"""What a person types for a step: ip(8) takes a bare word for one of its own, so an interface never stands bare."""

from __future__ import annotations

import shlex

import pytest

from labctl.engine.packets.impairment import Impairment
from labctl.plan.commands import command, stand_in
from labctl.plan.facts import Neighbour
from labctl.plan.firewall import Firewall
from labctl.plan.routes import NextHop, Route, Rule
from labctl.plan.steps import (
    AddAddress,
    AddLink,
    AddNeighbour,
    AddRoute,
    AddRule,
    AddVeth,
    ClearMaster,
    ClearNetem,
    DeleteAddress,
    DeleteLink,
    DeleteNeighbour,
    DeleteRoute,
    DeleteRule,
    NoAutomaticAddresses,
    SetFirewall,
    SetMac,
    SetMaster,
    SetMtu,
    SetNetem,
    SetUp,
    Step,
)
from labctl.topology.interface_ref import InterfaceRef

HERE, THERE = "link-netns", "vf"  # names that ip(8) knows as words
DELAYED = Impairment(delay=0.01)
STEPS: list[Step] = [
    *(AddLink("ns", HERE, kind) for kind in ("dummy", "bridge", "tun", "tap")),
    AddLink("ns", HERE, "tun", "user"),
    AddVeth("ns", HERE, InterfaceRef("ns", THERE)),
    DeleteLink("ns", HERE),
    SetMac("ns", HERE, "02:00:00:00:00:01"),
    SetMtu("ns", HERE, 1400),
    SetMaster("ns", HERE, THERE),
    ClearMaster("ns", HERE, THERE),
    SetNetem("ns", HERE, DELAYED),
    ClearNetem("ns", HERE, DELAYED),
    NoAutomaticAddresses("ns", HERE),
    AddAddress("ns", HERE, "10.0.0.1/24"),
    DeleteAddress("ns", HERE, "10.0.0.1/24"),
    AddRoute("ns", Route("10.1.0.0/16", dev=HERE)),
    DeleteRoute("ns", Route("10.1.0.0/16", dev=HERE)),
    AddRoute("ns", Route("10.1.0.0/16", nexthops=(NextHop(dev=HERE), NextHop("10.0.0.1", THERE)))),
    AddRule("ns", Rule("inet", 100, iif=HERE, oif=THERE)),
    DeleteRule("ns", Rule("inet", 100, iif=HERE, oif=THERE)),
    SetUp("ns", HERE),
    *(
        step("ns", HERE, neighbour)
        for step in (AddNeighbour, DeleteNeighbour)
        for neighbour in (Neighbour("10.0.0.2", "02:00:00:00:00:02", "permanent"), Neighbour("10.0.0.3", "", "proxy"))
    ),
]


def test_a_ruleset_ends_where_no_line_of_it_does() -> None:
    lines = command(SetFirewall("ns", Firewall("table inet a {\n}", ("wan0",), (4,)))).splitlines()
    assert lines[0] == "ip netns exec ns nft -f - <<'EOF'" and lines[-1] == "EOF"
    assert lines[1:4] == ["flush ruleset", "table inet a {", "}"]
    assert '        meta nfproto ipv4 oifname "wan0" masquerade' in lines
    assert command(SetFirewall("ns", Firewall("EOF"))).endswith("\nEOF\nEND OF RULESET")


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_an_interface_stands_behind_a_word_that_says_so(step: Step) -> None:
    for line in filter(None, (command(step), *stand_in(step).split(" && "))):
        words = shlex.split(line)
        before = [words[place - 1] for place, word in enumerate(words) if word in (HERE, THERE)]
        assert before and set(before) <= {"dev", "name", "master", "iif", "oif"}, line


def test_a_route_is_static_as_one_of_up_is() -> None:
    route = Route("10.1.0.0/16", "10.0.0.2")
    assert command(AddRoute("ns", route)).endswith("route add 10.1.0.0/16 via 10.0.0.2 proto static")
    assert command(DeleteRoute("ns", route)).endswith("route del 10.1.0.0/16 via 10.0.0.2")
