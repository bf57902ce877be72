"""Rules and routes decide as the kernel does: the longest prefix, the lower metric, the rule before the next."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import replace

import pytest

from labctl.kernel.flow import Flow
from labctl.kernel.policy import Decision, decide
from labctl.plan.routes import DEFAULT_RULES, Route, Rule

TO = ipaddress.ip_address("10.1.2.3")
FLOW = Flow(TO, ipaddress.ip_address("10.0.0.1"), "udp", 4000, 9)
WIDE, NARROW = Route("10.0.0.0/8", dev="eth0"), Route("10.1.0.0/16", dev="eth1")


def rule(priority: int, **what: object) -> Rule:
    return Rule("inet", priority, **{"table": "7", **what})  # type: ignore[arg-type]


def decided(rules: Sequence[Rule], *routes: Route) -> Decision:
    return decide(FLOW, "lo", sorted((*DEFAULT_RULES[4], *rules), key=lambda one: one.priority), routes)


def test_the_longest_prefix_wins_then_the_lower_metric_then_the_first() -> None:
    better, same = Route("10.1.0.0/16", dev="eth2", metric=0), Route("10.1.0.0/16", dev="eth3")
    assert decided((), WIDE, NARROW).route == NARROW
    assert decided((), Route("10.1.0.0/16", dev="eth1", metric=5), better).route == better
    assert decided((), NARROW, same).route == NARROW


def test_a_table_that_throws_a_packet_back_leaves_it_to_the_next_rule() -> None:
    throwing = Route("10.1.0.0/16", type="throw", table="7")
    found = decided([rule(9)], throwing, WIDE)
    assert (found.route, found.rule) == (WIDE, DEFAULT_RULES[4][1])
    assert decided([rule(9)], throwing).route == throwing


def test_a_rule_suppresses_short_prefixes_but_none_that_refuses() -> None:
    suppressing = rule(9, suppress_prefixlength=8)
    in_7 = Route("10.0.0.0/8", dev="eth7", table="7")
    assert decided([suppressing], in_7, WIDE).route == WIDE
    refusing = Route("10.0.0.0/8", type="blackhole", table="7")
    assert decided([suppressing], refusing, WIDE).route == refusing


@pytest.mark.parametrize("action", ["blackhole", "unreachable", "prohibit"])
def test_a_rule_refuses_by_itself(action: str) -> None:
    refusing = rule(9, action=action, table=None)
    assert decided([refusing], WIDE) == Decision(refusing, None)


def test_goto_skips_rules_and_one_without_its_target_does_nothing() -> None:
    refusing = rule(20, action="prohibit", table=None)
    assert decided([rule(10, action="goto 32766", table=None), refusing], WIDE).route == WIDE
    assert decided([rule(10, action="goto 11", table=None), refusing], WIDE).rule == refusing
    assert decided([rule(10, action="nop", table=None), refusing], WIDE).rule == refusing


@pytest.mark.parametrize(
    "asked, takes",
    [
        ({"source": "10.0.0.0/24"}, True),
        ({"source": "10.0.1.0/24"}, False),
        ({"to": "10.1.2.3/32"}, True),
        ({"to": "10.1.2.4/32"}, False),
        ({"ipproto": "udp"}, True),
        ({"ipproto": "tcp"}, False),
        ({"dport": "1-10"}, True),
        ({"dport": "10"}, False),
        ({"sport": "4000"}, True),
        ({"iif": "lo"}, True),
        ({"iif": "eth0"}, False),
        ({"oif": "eth0"}, False),
        ({"fwmark": "0x1"}, False),
        ({"fwmark": "0x0/0x1"}, True),
        ({"source": "10.0.1.0/24", "inverted": True}, True),
        ({"source": "10.0.0.0/24", "inverted": True}, False),
    ],
)
def test_a_rule_matches_what_it_asks_for(asked: dict[str, object], takes: bool) -> None:
    asking = rule(9, action="prohibit", **{**asked, "table": None})
    assert (decided([asking], WIDE).rule == asking) == takes


def test_what_a_flow_does_not_say_makes_the_rest_uncertain() -> None:
    assert not decided([rule(9, more=("uidrange", "0-5"))], WIDE).certain
    assert decided([rule(40000, more=("uidrange", "0-5"))], WIDE).certain, "it comes after the one that takes"
    assert decided([rule(9, more=("uidrange", "0-5"), to="10.9.0.0/16")], WIDE).certain, "it does not match anyway"


def test_a_rule_for_users_takes_the_packets_of_their_sockets() -> None:
    forbids = rule(9, action="prohibit", table=None, more=("uidrange", "0-5"))
    for user, taken in ((0, forbids), (5, forbids), (6, WIDE)):
        found = decide(replace(FLOW, user=user), "lo", (forbids, *DEFAULT_RULES[4]), (WIDE,))
        assert (found.route or found.rule, found.certain) == (taken, True)


def test_routes_that_no_packet_of_ours_takes_are_passed_over() -> None:
    assert decided((), WIDE, Route("10.1.0.0/16", dev="eth1", more=("tos", "0x10"))).route == WIDE
    assert decided((), Route("fd00::/8", dev="eth1"), WIDE).route == WIDE
