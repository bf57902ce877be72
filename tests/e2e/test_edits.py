"""A running lab follows any edit of its file: it becomes in one `up` what a fresh one would make.

Each edit is something that the kernel answers with more than was asked for: it takes routes along with addresses, other
ends along with ends, settings along with interfaces.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.world import World

BASE = """\
name: edited
namespaces:
  a:
    interfaces:
      dummy0: {kind: dummy, addresses: [10.0.1.1/24]}
      wan0: {kind: veth, peer: "b:wan0", addresses: [192.0.2.1/30]}
      tun0: {kind: tun, addresses: [10.0.101.1/24]}
    routes:
      - {to: 10.0.2.0/24, via: 192.0.2.2}
      - {to: 10.0.102.0/24, dev: tun0}
  b:
    interfaces:
      dummy1: {kind: dummy, addresses: [10.0.2.1/24]}
      wan0: {kind: veth, peer: "a:wan0", addresses: [192.0.2.2/30]}
      tun1: {kind: tun, addresses: [10.0.102.1/24]}
    routes:
      - {to: 10.0.1.0/24, via: 192.0.2.1}
      - {to: 10.0.101.0/24, dev: tun1}
ttun:
  - {device: "a:tun0", bind: "10.0.1.1:9000", peer: "10.0.2.1:9000"}
  - {device: "b:tun1", bind: "10.0.2.1:9000", peer: "10.0.1.1:9000"}
checks:
  - name: across
    ping: {from: a, to: 10.0.102.1, timeout: 5}
    crosses: ["a:tun0", "b:tun1"]
"""


def edited(*changes: tuple[str, str]) -> str:
    text = BASE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


IPV6 = edited(
    ("10.0.101.0/24", '"fd00:65::/64"'), ("10.0.102.0/24", '"fd00:66::/64"'),
    ("[10.0.101.1/24]", '["fd00:65::1/64"]'), ("[10.0.102.1/24]", '["fd00:66::1/64"]'), ("10.0.102.1", '"fd00:66::1"'),
    ("10.0.1.0/24", '"fd00:1::/64"'), ("10.0.2.0/24", '"fd00:2::/64"'),
    ("[10.0.1.1/24]", '["fd00:1::1/64"]'), ("[10.0.2.1/24]", '["fd00:2::1/64"]'),
    ("10.0.1.1:9000", "[fd00:1::1]:9000"), ("10.0.2.1:9000", "[fd00:2::1]:9000"),
    ("192.0.2.1/30", '"fd00:f::1/64"'), ("192.0.2.2/30", '"fd00:f::2/64"'),
    ("192.0.2.1", '"fd00:f::1"'), ("192.0.2.2", '"fd00:f::2"'),
)  # fmt: skip
FIRST_LINE = "      dummy0:"


def beside(*lines: str, of: str = BASE) -> str:
    """The lab with more interfaces in namespace a, or more keys of it."""
    more = "".join(f"      {line}\n" for line in lines)
    return of.replace(FIRST_LINE, more + FIRST_LINE)


def with_sysctl(setting: str, of: str = BASE) -> str:
    return of.replace(
        "    routes:\n      - {to: 10.0.2", f"    sysctls: {{{setting}}}\n    routes:\n      - {{to: 10.0.2"
    )


def cables(*pairs: str) -> str:
    """Each pair of letters is a cable between interfaces of these names."""
    both_ways = [*pairs, *(pair[::-1] for pair in pairs)]
    ends = [f'{pair[0]}: {{kind: veth, peer: "a:{pair[1]}"}}' for pair in both_ways]
    return beside(*sorted(ends))


def dummies(**addresses: str) -> str:
    return beside(*(f"{name}: {{kind: dummy, addresses: [{some}]}}" for name, some in addresses.items()))


RP_FILTER = with_sysctl("net.ipv4.conf.dummy0.rp_filter: 2")
FLUSH = with_sysctl("net.ipv4.route.flush: 1")
SMALL = edited(("/30]}", "/30], mtu: 1000}"))
BRIDGED = beside("p: {kind: tap, mtu: 1400}", "br0: {kind: bridge, ports: [p]}")
OWNED = edited(("{kind: tun, addresses: [10.0.101.1/24]}", "{kind: tun, owner: nobody, addresses: [10.0.101.1/24]}"))
RENAMED = edited(('wan0: {kind: veth, peer: "b:wan0"', 'up0: {kind: veth, peer: "b:wan0"'), ("a:wan0", "a:up0"))
WITH_METRIC = edited(("via: 192.0.2.2}", "via: 192.0.2.2, metric: 50}"))
METRIC_0 = IPV6.replace('via: "fd00:f::2"}', 'via: "fd00:f::2", metric: 0}')

SLOW = edited(
    ('peer: "10.0.2.1:9000"}', 'peer: "10.0.2.1:9000", impair: {delay: 5ms, seed: 1}, impair_in: {loss: 0.1%}}')
)

POLICY = edited(("""\
      - {to: 10.0.102.0/24, dev: tun0}
""", """\
      - {to: 10.0.102.0/24, dev: tun0, src: 10.0.101.1, mtu: 1400}
      - {to: 10.88.0.0/16, type: blackhole}
      - {to: 10.89.0.0/16, type: throw, table: 100}
      - {to: 10.90.0.0/16, nexthops: [{via: 192.0.2.2}, {dev: tun0, weight: 2}]}
      - {to: 10.91.0.0/16, via: 203.0.113.1, dev: wan0, onlink: true, table: 70000}
      - {to: "fd00:88::/32", type: prohibit}
    rules:
      - {priority: 100, to: 10.89.0.0/16, table: 100}
      - {priority: 101, from: 10.0.101.0/24, iif: wan0, type: unreachable}
      - {priority: 102, family: inet6, fwmark: 1/3, table: 100}
"""))  # fmt: skip
OTHER_POLICY = POLICY
for old, new in (
    ("src: 10.0.101.1, mtu: 1400", "advmss: 1300"),
    ("type: blackhole}", "type: unreachable}"),
    ("10.89.0.0/16, type: throw, table: 100", "10.89.0.0/16, dev: tun0, table: 100"),
    ("weight: 2", "weight: 3"),
    ("onlink: true, table: 70000", "onlink: true, table: default"),
    ("type: prohibit", "dev: lo"),
    ("10.89.0.0/16, table: 100}", "10.89.0.0/16, table: main}"),
    ("101, from", "103, from"),
    ("fwmark: 1/3", "fwmark: 1/7"),
):
    assert old in OTHER_POLICY
    OTHER_POLICY = OTHER_POLICY.replace(old, new)
# Routes made with what comes and goes: a source address, an interface, the only address of one.
RESTING = dummies(e="10.7.0.9/24, 10.7.0.1/24", f="10.8.0.1/24").replace("""\
      - {to: 10.0.102.0/24, dev: tun0}
""", """\
      - {to: 10.0.102.0/24, dev: tun0}
      - {to: 10.88.0.0/16, via: 192.0.2.2, src: 10.7.0.1}
      - {to: 10.88.0.0/16, via: 192.0.2.2, src: 10.7.0.1, table: 100}
      - {to: 10.89.0.0/16, nexthops: [{via: 192.0.2.2}, {dev: f}]}
      - {to: 10.90.0.0/16, nexthops: [{via: 192.0.2.2}, {dev: g}]}
      - {to: "fd00:90::/32", nexthops: [{via: "fd00:7::2"}, {via: "fd00:8::2"}]}
      - {to: "fd00:91::/32", via: "fd00:7::2", src: "fd00:8::1"}
""").replace("      e: {", """\
      g: {kind: dummy, addresses: ["fd00:7::1/64"]}
      h: {kind: dummy, addresses: ["fd00:8::1/64"]}
      e: {""")  # fmt: skip
SHAKEN = (
    RESTING.replace("10.7.0.9/24, ", "")
    .replace("10.8.0.1/24", "10.8.0.2/24")
    .replace("g: {kind: dummy", "g: {kind: bridge")
    .replace("h: {kind: dummy", "h: {kind: bridge")
)

KNOWN = BASE.replace("192.0.2.2/30]", '192.0.2.2/30], mac: "02:00:00:00:00:02"').replace("""\
    routes:
      - {to: 10.0.2.0/24""", """\
    neighbours:
      - {to: 192.0.2.2, lladdr: "02:00:00:00:00:02", dev: wan0}
      - {to: 192.0.2.9, dev: wan0, proxy: true}
    routes:
      - {to: 10.0.2.0/24""")  # fmt: skip
OTHER_KNOWN = KNOWN.replace('"02:00:00:00:00:02"', '"02:00:00:00:00:03"').replace("192.0.2.9", "192.0.2.10")

EDITS = {
    "the only address of a tunnel": (BASE, edited(("10.0.101.", "10.0.201."))),
    "the prefix of the underlay": (BASE, edited(("1/30]", "1/29]"), ("2/30]", "2/29]"))),
    "two addresses change places": (
        dummies(e="10.7.0.1/24", f="10.8.0.1/24"),
        dummies(e="10.8.0.1/24", f="10.7.0.1/24"),
    ),
    "the first of two addresses of a network goes": (edited(("[10.0.1.1/24]", "[10.0.1.9/24, 10.0.1.1/24]")), BASE),
    "two addresses of a network move": (dummies(e="10.7.0.1/24, 10.7.0.2/24"), dummies(e="10.8.0.1/24, 10.8.0.2/24")),
    "an interface with two addresses of a network goes": (dummies(e="10.7.0.1/24, 10.7.0.2/24"), BASE),
    "both ends of a cable go": (cables("xy"), BASE),
    "both ends of a cable become something else": (cables("xy"), beside("x: {kind: dummy}", "y: {kind: bridge}")),
    "an end of a cable has another name": (BASE, RENAMED),
    "two cables are plugged crosswise": (cables("pq", "rs"), cables("pr", "qs")),
    "an owner comes": (BASE, OWNED),
    "an MTU becomes too small for IPv6": (BASE, SMALL),
    "an MTU is no longer too small for IPv6": (SMALL, BASE),
    "IPv4 becomes IPv6": (BASE, IPV6),
    "IPv6 becomes IPv4": (IPV6, BASE),
    "a bridge with a port of another MTU": (BASE, BRIDGED),
    "an interface with a setting is made anew": (RP_FILTER, RP_FILTER.replace("0: {kind: dummy", "0: {kind: bridge")),
    "forwarding by its other name": (BASE, with_sysctl("net.ipv4.conf.all.forwarding: '01'")),
    "beside a setting that can only be written": (FLUSH, FLUSH.replace("[10.0.1.1/24]", "[10.0.1.1/24, 10.7.0.1/24]")),
    "a metric goes": (WITH_METRIC, BASE),
    "a metric of 0 for IPv6": (BASE, METRIC_0),
    "an impairment comes": (BASE, SLOW),
    "an impairment becomes another": (SLOW, SLOW.replace("delay: 5ms, seed: 1", "delay: 10ms, jitter: 1ms")),
    "an impairment goes": (SLOW, BASE),
    "an impairment and a port": (SLOW, BASE.replace(":9000", ":9001")),
    "routes and rules become others": (POLICY, OTHER_POLICY),
    "routes and rules go": (POLICY, BASE),
    "what routes are made with is made anew": (RESTING, SHAKEN),
    "neighbours come": (BASE, KNOWN),
    "neighbours become others": (KNOWN, OTHER_KNOWN),
    "neighbours go": (KNOWN, BASE),
    "addresses with two spellings": (BASE, dummies(e='"::10.9.9.9/96", "64:ff9b::10.3.3.3/128"')),
}


def state(here: World) -> Any:
    """What is there of the lab, but for what differs from one birth to the next."""
    found = here.json("status")
    assert found["drift"] == []
    for space in found["namespaces"].values():
        for link in space["interfaces"].values():
            del link["counters"], link["state"], link["mac"], link["carrier"], link["neighbours"]
            if link["options"]["carrier"] == "off":
                link["options"].pop("type bridge_slave state", None)  # that of a port without carrier has a memory
            if link["kind"] == "bridge":
                del link["options"]["carrier"]  # and so has that of the bridge
            for key in ("addresses", "by_itself", "networks", "local"):
                link[key] = sorted({each for each in link[key] if not each.startswith("fe80")})
        space["routes"] = sorted(map(str, space["routes"]))
        space["rules"] = sorted(map(str, space["rules"]))
    engines = [(each["device"], each["command"], each["running"]) for each in found["engines"]]
    return found["namespaces"], sorted(engines), sorted(map(str, found["substitutions"]))


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_makes_what_a_fresh_lab_would_be(here: World, edit: str) -> None:
    before, after = EDITS[edit]
    here.labctl("up", here.file("edited.yaml", before))
    file = here.file("edited.yaml", after)
    planned = here.json("plan", file, code=1)["changes"]
    # All of it was foreseen: nothing had to be done in a second look.
    assert here.json("up", file)["changes"] == planned
    assert here.json("verify")["passed"]
    became = state(here)
    here.labctl("down")
    here.labctl("up", file)
    assert state(here) == became
    here.labctl("down")


def test_an_owner_by_number_or_name_is_the_same_and_may_be_oneself(here: World) -> None:
    """Without root the owner can only be oneself, who is root in the environment."""
    file = here.file("owned.yaml", OWNED.replace("nobody", f"'{here.uid}'"))
    here.labctl("up", file)
    assert here.json("plan", file)["changes"] == []
    if here.is_root:
        named = here.file("owned.yaml", OWNED.replace("nobody", "root"))
        assert here.json("plan", named)["changes"] == []
    here.labctl("down")


def test_what_nobody_foresaw_is_done_in_a_second_look(here: World) -> None:
    """The setting of the whole namespace resets those of its interfaces, and the plan does not know."""
    file = here.file("edited.yaml", with_sysctl("net.ipv4.conf.wan0.forwarding: 1"))
    here.labctl("up", file)
    here.labctl("exec", "a", "--", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    planned = [change["change"] for change in here.json("plan", file, code=1)["changes"]]
    done = [change["change"] for change in here.json("up", file)["changes"]]
    assert planned == ["sysctl net.ipv4.ip_forward = 0"] and done[:1] == planned
    assert "sysctl net.ipv4.conf.wan0.forwarding = 1" in done
    assert here.json("plan", file)["changes"] == []
    here.labctl("down")


def test_a_setting_that_the_kernel_keeps_as_another_is_told_and_put_back(here: World) -> None:
    """The kernel counts in ticks of some milliseconds, and shows the nearest number of them."""
    here.labctl("up", here.file("edited.yaml", BASE))
    odd = with_sysctl("net.ipv4.neigh.wan0.base_reachable_time_ms: 30001")
    said = here.labctl("up", here.file("edited.yaml", odd), code=None)
    if said.returncode == 0:
        pytest.skip("this kernel counts in milliseconds")
    assert said.returncode == 4
    assert "does not stay what its file says" in said.stderr and "30001 (is 30" in said.stderr
    assert here.json("status")["drift"] == here.json("plan", here.file("edited.yaml", BASE))["changes"] == []
    here.labctl("down")


def test_the_lost_route_of_an_ipv6_address_is_repaired(here: World) -> None:
    file = here.file("six.yaml", IPV6)
    here.labctl("up", file)
    assert here.json("status")["drift"] == []
    here.labctl("exec", "a", "--", "ip", "-6", "route", "del", "fd00:65::/64", "dev", "tun0")
    drift = here.json("status")["drift"]
    assert (drift[0]["subject"], drift[0]["reason"]) == ("a:tun0", "its route to fd00:65::/64 is gone")
    assert here.json("up", file)["changes"] == drift
    assert here.json("status")["drift"] == [] and here.json("verify")["passed"]
    here.labctl("down")


def test_an_ipv6_lab_carries_from_the_moment_that_it_is_up(here: World) -> None:
    here.labctl("up", here.file("six.yaml", IPV6))
    assert here.json("verify")["passed"]
    here.labctl("down")
