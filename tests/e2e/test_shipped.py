"""Labs that other tools ship, written anew: their checks hold, and fail without what they are to show."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.e2e.world import REPO, SUITE_IS_ROOT, World
from tests.patience import PATIENCE
from tests.programs import SHIPPED_NEED, needed

ANNOUNCED_BY_THE_THIRD = """neighbor 192.0.2.5 timers connect 1
           address-family ipv4 unicast
            redistribute connected"""
WITHOUT = {
    "bgp": {(ANNOUNCED_BY_THE_THIRD, "!"): {"learned", "across"}},
    "dual-stack": {
        ("net.ipv4.ip_forward: 1", "net.ipv4.ip_forward: 0"): {"ipv4", "tcp-over-ipv4"},
        ("net.ipv6.conf.all.forwarding: 1", "net.ipv6.conf.all.forwarding: 0"): {"ipv6", "tcp-over-ipv6"},
    },
    "firewall": {
        (
            "chain forward {\n              type filter hook forward priority filter; policy drop;\n",
            "chain forward {\n",
        ): {"no-other-port", "outside-to-office", "web-to-office"},
        ('iif "lan0" accept', ""): {"office-to-web", "office-to-outside"},
        ("tcp dport @public accept", ""): {"outside-to-web"},
    },
    "lossy-link": {
        ("    impair: {delay: 20ms, loss: 5%, rate: 10mbit}\n", ""): {"loses-some", "is-late", "no-more-than-ten"}
    },
    "nat-gateway": {
        ("    masquerade: wan0\n", ""): {"h1-reaches-the-server", "h2-over-tcp", "both-from-one-port"},
        ('iifname "wan0" tcp dport 8080 dnat to 192.168.1.11:80', ""): {"a-port-leads-inside"},
    },
    "ospf": {("network 10.0.3.0/24 area 0", "!"): {"learned", "across"}},
    "static-routing": {
        ("      - {to: 10.1.0.0/24, via: 192.0.2.1}\n", ""): {"over-three-routers", "back", "data"},
        ("      - {to: 10.2.0.0/24, via: 192.0.2.6}\n", ""): {"over-three-routers", "back", "data", "way-of-r2"},
    },
    "switched-lan": {
        ("ports: [port1, port2, port3, port4]", "ports: [port1, port2, port3]"): {"h3-to-h4", "h4-to-h1", "learned"}
    },
    "web-dns": {("--address=/www.example/10.0.0.80", ""): {"name", "page", "no-such-page"}},
}
"""For each lab what is replaced in its file by what, and the checks that do not pass then."""

SLOW = ("wait: 60", "wait: 30", "wait: 10")
"""How long routers may take to learn; what is not there need not be waited for."""

BUSY = 5 * PATIENCE
"""Seconds in which a machine that others keep busy has a moment for a flow of 20 Mbit/s."""


def decided(here: World) -> dict[str, Any]:
    """Verify, and ask again what the machine was too busy to decide, until it is. Return the checks by name."""
    found, deadline, left = dict[str, Any](), time.monotonic() + BUSY, list[str]()
    while not found or left:
        assert time.monotonic() < deadline, [found[name] for name in left]
        found.update({check["name"]: check for check in here.json("verify", *left, code=None)["checks"]})
        left = [name for name, check in found.items() if check["outcome"] == "undecided"]
    return found


@pytest.mark.parametrize("name", WITHOUT)
def test_the_checks_of_a_lab_hold(here: World, name: str) -> None:
    for program in SHIPPED_NEED.get(name, ()):
        needed(program)
    text = (REPO / "topologies" / f"{name}.yaml").read_text()
    file = here.file(f"{name}.yaml", text)
    assert here.json("validate", file)["warnings"] == []
    here.labctl("up", file)
    assert all(check["passed"] for check in decided(here).values())
    assert here.json("status")["drift"] == []
    if list(WITHOUT).index(name) % 2 != here.is_root and SUITE_IS_ROOT:
        here.labctl("down")
        return  # each is tried without what it is to show in one mode, and the next in the other
    for wait in SLOW:
        text = text.replace(wait, "wait: 0")
    for (shown, instead), expected in WITHOUT[name].items():
        assert shown in text, shown
        here.labctl("down")
        here.labctl("up", here.file(f"{name}.yaml", text.replace(shown, instead, 1)))
        found = here.json("verify", code=None)["checks"]
        assert {check["name"] for check in found if not check["passed"]} == expected, (shown, found)
    here.labctl("down")


def test_routers_find_the_other_way_round(here: World) -> None:
    """Routes that were learned are no drift; the cable that is down is."""
    for program in SHIPPED_NEED["ospf"]:
        needed(program)
    here.labctl("up", "ospf")
    here.labctl("verify")
    here.labctl("exec", "r1", "--", "ip", "link", "set", "to-r2", "down")
    here.labctl("verify", "across", "--repeat", "3")
    (drift,) = here.json("status")["drift"]
    assert drift["subject"] == "r1:to-r2"
    here.labctl("down")
