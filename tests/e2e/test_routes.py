"""Routes and rules of every kind: as the file says them, and what is made by hand is seen in ip(8)'s words and goes."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

from labctl.topology.load import loads
from labctl.topology.routing import Decision, Fib
from tests.e2e.labs import ROUTED
from tests.e2e.world import World, eventually

# By hand, and how the difference is told. In a lab with an underlay wan0 and a tunnel tun0.
BY_HAND = {
    "ip route replace blackhole 10.0.102.0/24": "route blackhole 10.0.102.0/24",
    "ip route add unreachable 10.0.2.1": "route unreachable 10.0.2.1/32",
    "ip route add prohibit 10.71.0.0/16 metric 7": "route prohibit 10.71.0.0/16 metric 7",
    "ip route add throw 10.72.0.0/16 table 77": "route throw 10.72.0.0/16 table 77",
    "ip -6 route add blackhole fd00:2::/64": "route blackhole fd00:2::/64",
    "ip -6 route add fd00:3::/64 dev wan0 metric 5": "route fd00:3::/64 dev wan0 metric 5",
    "ip route add 10.73.0.0/16 dev wan0 src 10.0.1.1": "route 10.73.0.0/16 dev wan0 src 10.0.1.1",
    "ip route add 10.74.0.0/16 via 10.9.9.9 dev wan0 onlink": "route 10.74.0.0/16 via 10.9.9.9 dev wan0 onlink",
    "ip route add 10.75.0.0/16 via inet6 fe80::9 dev wan0": "route 10.75.0.0/16 via inet6 fe80::9 dev wan0",
    "ip route append 10.0.2.0/24 via 192.0.2.2 mtu lock 900 advmss 800 initcwnd 9": (
        "route 10.0.2.0/24 via 192.0.2.2 dev wan0 mtu lock 900 advmss 800 initcwnd 9"
    ),
    "ip route append 10.0.2.0/24 via 192.0.2.2 proto 5": "route 10.0.2.0/24 via 192.0.2.2 dev wan0",
    "ip route add 10.76.0.0/16 table 1000 nexthop via 192.0.2.2 weight 3 nexthop dev tun0": (
        "route 10.76.0.0/16 table 1000 nexthop via 192.0.2.2 dev wan0 weight 3 nexthop dev tun0 weight 1"
    ),
    "ip route add 10.77.0.0/16 tos 0x10 dev wan0 scope site": "route 10.77.0.0/16 dev wan0 tos 0x10 scope site",
    "ip nexthop add id 5 via 192.0.2.2 dev wan0; ip route add 10.78.0.0/16 nhid 5": (
        "route 10.78.0.0/16 via 192.0.2.2 dev wan0 nhid 5"
    ),
    "ip nexthop add id 6 blackhole; ip route add 10.80.0.0/16 nhid 6": "route blackhole 10.80.0.0/16 nhid 6",
    "ip -6 nexthop add id 8 blackhole; ip -6 route add fd00:8::/64 nhid 8": "route blackhole fd00:8::/64 nhid 8",
    "ip route add local 10.79.0.1 dev lo": "route local 10.79.0.1/32 dev lo table local",
    "ip route add broadcast 10.79.0.255 dev wan0": "route broadcast 10.79.0.255/32 dev wan0 table local",
    "ip route add multicast 239.0.0.0/8 dev wan0 table main": "route multicast 239.0.0.0/8 dev wan0",
    "ip rule add pref 100 from 10.0.0.0/8 to 10.0.2.0/24 iif wan0 oif tun0 lookup 77": (
        "rule 100: from 10.0.0.0/8 to 10.0.2.0/24 iif wan0 oif tun0 lookup 77"
    ),
    "ip rule add pref 101 fwmark 0x1/0x3 ipproto udp sport 53 dport 80-90 prohibit": (
        "rule 101: from all fwmark 0x1/0x3 ipproto udp sport 53 dport 80-90 prohibit"
    ),
    "ip -6 rule add pref 102 not to fd00::/8 goto 32766": "IPv6 rule 102: not from all to fd00::/8 goto 32766",
    "ip rule add pref 103 uidrange 0-0 tos 0x10 lookup main suppress_prefixlength 0": (
        "rule 103: from all tos 0x10 uidrange 0-0 lookup main suppress_prefixlength 0"
    ),
}  # fmt: skip
# What the kernel had made by itself is made again.
TAKEN_AWAY = {
    "ip rule del pref 0": "rule 0: from all lookup local",
    "ip rule del pref 32766": "rule 32766: from all lookup main",
    "ip -6 rule del pref 32766": "IPv6 rule 32766: from all lookup main",
    "ip route del local 10.0.1.1 dev dummy0 table local": "address 10.0.1.1/24",
}
LOOK = "for version in -4 -6; do ip $version -d route show table all; ip $version -d rule; done"


def test_what_is_made_by_hand_is_told_and_goes(here: World) -> None:
    here.labctl("up", "two-site")

    def by_hand(*commands: str) -> str:
        return here.labctl("exec", "siteA", "--", "sh", "-ec", "; ".join(commands)).stdout

    before = by_hand(LOOK)
    by_hand(*BY_HAND, *TAKEN_AWAY)
    changes = here.json("plan", "two-site", code=1)["changes"]
    removed = [change["change"] for change in changes if change["action"] == "remove"]
    made = [change["change"] for change in changes if change["action"] == "make"]
    assert sorted(removed) == sorted(
        [*BY_HAND.values(), TAKEN_AWAY["ip route del local 10.0.1.1 dev dummy0 table local"]]
    )
    assert sorted(made) == sorted([*TAKEN_AWAY.values(), "route 10.0.102.0/24 dev tun0"])
    assert here.json("up", "two-site")["changes"] == changes
    assert here.json("plan", "two-site")["changes"] == []
    by_hand("ip nexthop flush")
    assert sorted(by_hand(LOOK).splitlines()) == sorted(before.splitlines())
    assert here.json("verify", "ping-across-a-to-b", "own-tun-address-a")["passed"]
    here.labctl("down")


def test_what_a_routing_daemon_has_learned_is_left_to_it(here: World) -> None:
    """Also where the daemon makes nexthop objects, as zebra does."""
    here.labctl("up", "two-site")
    learned = [
        "ip route add 10.9.0.0/16 via 192.0.2.2 proto ospf metric 20",
        "ip route add 10.9.1.0/24 via 192.0.2.2 proto zebra",
        "ip route add 10.9.2.0/24 via 192.0.2.2 proto 42",
        "ip nexthop add id 7 via 192.0.2.2 dev wan0 proto zebra",
        "ip route add 10.9.3.0/24 nhid 7 proto bgp",
    ]
    here.labctl("exec", "siteA", "--", "sh", "-ec", "; ".join(learned))
    assert here.json("status")["drift"] == []
    assert here.json("up", "two-site")["changes"] == []
    assert here.labctl("exec", "siteA", "--", "ip", "route", "show", "root", "10.9.0.0/16").stdout.count("via") == 4
    here.labctl("exec", "siteA", "--", "ip", "route", "add", "10.9.4.0/24", "via", "192.0.2.2")
    assert [step["change"] for step in here.json("status")["drift"]] == ["route 10.9.4.0/24 via 192.0.2.2 dev wan0"]
    here.labctl("down")


def test_what_a_person_types_for_it_does_the_same(as_root: World) -> None:
    as_root.labctl("up", "two-site")
    inside = ("ip", "netns", "exec", "siteA", "sh", "-ec")
    before = as_root.run(*inside, LOOK).stdout
    as_root.run(*inside, "; ".join(word for word in (*BY_HAND, *TAKEN_AWAY) if not ("nhid" in word or "proto" in word)))
    for change in as_root.json("plan", "two-site", code=1)["changes"]:
        as_root.run("sh", "-ec", change["command"])
    eventually(lambda: as_root.json("plan", "two-site", code=None)["changes"] == [], "all is as it was")
    assert sorted(as_root.run(*inside, LOOK).stdout.splitlines()) == sorted(before.splitlines())
    as_root.labctl("down")


# Destination, source, interface of arrival: each is looked up by the kernel and in the file.
DESTINATIONS = [f"10.9.{net}.1" for net in (0, 1, 2, 3, 5, 6, 7, 8, 9, 22, 33, 44, 55, 66, 77)] + [
    *("10.1.0.1", "10.1.0.2", "10.2.0.9", "10.255.0.1", "127.0.0.9", "198.51.100.1"),
    *(f"fd00:9:{net}::1" for net in (0, 2, 3, 6, 7, 8, 9)),
    *("fd00:1::1", "fd00:2::9", "fd00:ff::1", "2001:db8::1"),
]
SOURCES = {4: [None, "10.1.0.1", "10.2.0.1"], 6: [None, "fd00:1::1", "fd00:2::1"]}
ARRIVALS = {4: [("10.1.0.2", "one"), ("192.0.2.1", "two")], 6: [("fd00:1::2", "one"), ("fd00:2::2", "two")]}


def ways(version: int) -> list[tuple[str | None, str]]:
    """Sources and interfaces of arrival; what is sent from here arrives by lo."""
    return [*((source, "lo") for source in SOURCES[version]), *ARRIVALS[version]]


def decision(answer: list[dict[str, Any]] | None) -> Decision | None:
    """What `ip -j route get` says, as the file's look-up says it."""
    if answer is None or (found := answer[0]).get("type", "unicast") not in ("unicast", "local"):
        return None
    if found.get("type") == "local":
        return Decision("", local=True)
    via = found.get("gateway") or found.get("via", {}).get("host")
    return Decision(found["dev"], ipaddress.ip_address(via) if via else None)


def test_a_file_can_say_routes_and_rules_of_every_kind(here: World) -> None:
    """The kernel looks up as the file is read, and what is taken away by hand comes back to the letter."""
    file = here.file("routed.yaml", ROUTED)
    here.labctl("up", file)
    assert here.json("plan", file)["changes"] == []

    def inside(*command: str) -> str:
        return here.labctl("exec", "r", "--", *command).stdout

    asked = [
        (address, source, arrived)
        for address in DESTINATIONS
        for source, arrived in ways(ipaddress.ip_address(address).version)
        if arrived == "lo" or not address.startswith("127.")  # a martian (RFC 1812)
    ]
    queries = [
        f"ip -j route get {address}"
        + (f" from {source}" if source else "")
        + (f" iif {arrived}" if arrived != "lo" else "")
        for address, source, arrived in asked
    ]
    answers = inside("sh", "-c", "; ".join(f"{query} 2>/dev/null || echo null" for query in queries))
    fib = Fib.of(loads(ROUTED, "routed.yaml").namespaces["r"])
    differing = []
    for (address, source, arrived), answer in zip(asked, map(json.loads, answers.splitlines()), strict=True):
        mine = fib.lookup(ipaddress.ip_address(address), ipaddress.ip_address(source) if source else None, arrived)
        seen = mine and (Decision("", local=True) if mine.local else Decision(mine.interface, mine.via))
        if seen != decision(answer):
            differing.append((address, source, arrived, mine, answer))
    assert differing == []
    assert fib.lookup(ipaddress.ip_address("10.9.11.1")) is None  # it depends on a mark, which no file says

    before = inside("sh", "-c", LOOK)
    inside("sh", "-c", "for version in -4 -6; do ip $version rule flush; ip $version route flush proto static; done")
    flushed = "for table in 100 70000 default; do ip route flush table $table; ip -6 route flush table $table; done"
    inside("sh", "-c", f"{flushed}; ip route add blackhole 10.9.0.0/16; ip rule add pref 100 to 10.9.0.0/16 prohibit")
    inside("ip", "route", "del", "local", "fd00:1::1", "dev", "one", "table", "local")
    repaired = here.json("up", file)["changes"]
    assert {(change["action"], change["change"]) for change in repaired} >= {
        ("remove", "route blackhole 10.9.0.0/16"),
        ("remove", "rule 100: from all to 10.9.0.0/16 prohibit"),
        ("make", "rule 100: from all to 10.9.0.0/16 lookup 100"),
        ("make", "rule 32766: from all lookup main"),
        ("remove", "address fd00:1::1/64"),
        ("make", "address fd00:1::1/64"),
    }
    assert here.json("plan", file)["changes"] == []
    assert sorted(inside("sh", "-c", LOOK).splitlines()) == sorted(before.splitlines())
    here.labctl("down")
