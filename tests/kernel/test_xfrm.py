"""IPsec policies, and which packets they select."""

from __future__ import annotations

import ipaddress

import pytest

from labctl.kernel.flow import Flow
from labctl.kernel.xfrm import policies
from tests.kernel.space import Space


def flow(source: str, to: str, protocol: str = "udp", dport: int = 9000) -> Flow:
    return Flow(ipaddress.ip_address(to), ipaddress.ip_address(source), protocol, 4000, dport)


def test_a_policy_is_told_as_ip_tells_it(space: Space) -> None:
    space.sh(
        """ip xfrm policy add src 10.0.0.0/24 dst 10.0.1.1/32 proto udp dport 9000 dir out action block priority 5
        ip xfrm policy add src fd00::/64 dst ::/0 dir in priority 3 tmpl src fd00::1 dst fd00::2 proto esp"""
    )
    inbound, blocking = space.ask(policies)
    assert blocking.words == ("src 10.0.0.0/24 dst 10.0.1.1/32 proto udp dport 9000 dir out action block priority 5")
    assert inbound.words == "src fd00::/64 dst ::/0 dir in action allow priority 3"
    assert (blocking.transformed, inbound.transformed) == (False, True)


@pytest.mark.parametrize(
    "of, selected",
    [
        (flow("10.0.0.5", "10.0.1.1"), True),
        (flow("10.0.2.5", "10.0.1.1"), False),
        (flow("10.0.0.5", "10.0.1.2"), False),
        (flow("10.0.0.5", "10.0.1.1", dport=9001), False),
        (flow("10.0.0.5", "10.0.1.1", "tcp"), False),
        (flow("fd00::1", "fd00::2"), False),
    ],
)
def test_a_policy_selects_the_packets_that_it_names(shared: Space, of: Flow, selected: bool) -> None:
    shared.sh("ip xfrm policy update src 10.0.0.0/24 dst 10.0.1.1/32 proto udp dport 9000 dir out action block")
    (policy,) = shared.ask(policies)
    assert policy.selects(of) == selected


def test_a_namespace_without_policies_has_none(space: Space) -> None:
    assert space.ask(policies) == []
