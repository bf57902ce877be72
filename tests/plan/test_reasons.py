"""A line of a plan says what differs: never the same on both sides."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.packets.address import Address
from labctl.plan.change import Change
from labctl.plan.commands import command
from labctl.plan.coverage import coverage
from labctl.plan.facts import NOTHING, Facts, Namespace, Neighbour, Qdisc, RunningEngine, Table
from labctl.plan.steps import StartEngine, Step
from labctl.topology.load import load
from labctl.topology.model import Topology
from labctl.topology.shipped import find
from tests.plan.test_plan import Kernel, changes, plan, topologies

TWO_SITE = load(find("two-site"))


def made(topology: Topology) -> Facts:
    kernel = Kernel()
    for step in plan(topology, NOTHING):
        kernel.perform(step)
    return kernel.facts()


def says_the_same(said: Change) -> bool:
    """Whether the reason is what the step makes: `MTU 1400 (is 1400)`, `port of bridge b (is a port of b)`."""
    found = re.sub("^(is a port of|is a|is|runs as|leads to|its owner is) ", "", said.reason)
    return f" {said.step.words}".endswith(f" {found}")


@given(topologies(), topologies(), st.data())
def test_no_reason_is_what_the_step_makes(one: Topology, other: Topology, data: st.DataObject) -> None:
    kernel = Kernel()
    steps = plan(one, NOTHING)
    for step in steps[: data.draw(st.integers(len(steps) // 2, len(steps)))]:
        kernel.perform(step)
    facts = kernel.facts()
    assert [said for said in changes(other, facts) if says_the_same(said)] == []


def changed(interface: str, facts: Facts, **values: Any) -> Facts:
    space = facts.namespaces["siteA"]
    links = {**space.links, interface: replace(space.links[interface], **values)}
    return replace(facts, namespaces={**facts.namespaces, "siteA": replace(space, links=links)})


def lines(facts: Facts) -> list[str]:
    """What is told of siteA."""
    told = [change for change in changes(TWO_SITE, facts) if change.step.namespace == "siteA"]
    assert not any(says_the_same(said) for said in told)
    return [f"{said.step.subject} {said.step.words} ({said.reason})" for said in told]


def test_an_interface_of_another_kind_takes_along_what_was_right_of_it() -> None:
    told = lines(changed("tun0", made(TWO_SITE), kind="tap"))
    engine = "siteA:tun0 engine ttun tun0 10.0.1.1 9000 10.0.2.1 9000"
    assert f"{engine} (its device goes)" in told and f"{engine} (goes with a change above)" in told
    assert "siteA:tun0 interface (is a tap, not a tun)" in told
    assert "siteA:tun0 interface of kind tun (is a tap)" in told
    assert "siteA:tun0 MTU 1472 (goes with a change above)" in told


def test_an_engine_that_is_another_or_stopped_is_told_as_that() -> None:
    facts = made(TWO_SITE)
    (wanted,) = (s for s in plan(TWO_SITE, NOTHING) if isinstance(s, StartEngine) and s.namespace == "siteA")
    engine = f"siteA:tun0 engine {wanted.spec.command}"
    running = facts.engines[wanted.ref]
    assert running == RunningEngine(wanted.spec, wanted.spec.impairments)
    stopped = replace(facts, engines={**facts.engines, wanted.ref: replace(running, stopped=True)})
    assert lines(stopped) == [f"{engine} (stopped) (forwards nothing)", f"{engine} (is stopped)"]
    moved = replace(wanted.spec, bind=Address("10.0.1.1", 9001))
    other = replace(facts, engines={**facts.engines, wanted.ref: replace(running, spec=moved)})
    assert lines(other) == [
        f"siteA:tun0 engine ttun tun0 10.0.1.1 9001 10.0.2.1 9000 (is to be {wanted.spec.command})",
        f"{engine} (runs as ttun tun0 10.0.1.1 9001 10.0.2.1 9000)",
    ]


def test_what_no_file_asks_for_is_named_and_has_a_command() -> None:
    facts = made(TWO_SITE)
    link = facts.namespaces["siteA"].links["wan0"]
    seen = changed(
        "wan0",
        facts,
        qdiscs=(Qdisc("tbf", "root"), Qdisc("pfifo", "parent 1:a")),
        neighbours=(
            Neighbour("192.0.2.9", "02:00:00:00:00:01", "permanent"),
            Neighbour("192.0.2.8", "", "proxy"),
            Neighbour("192.0.2.2", "02:00:00:00:00:02", "stale"),
            Neighbour("192.0.2.7", "02:00:00:00:00:02", "stale"),  # learned, and of nobody here
            Neighbour("192.0.2.255", link.mac, "noarp"),  # as the kernel makes them
        ),
        options={"arp": "off", "multicast": "on"},
    )
    site = replace(seen.namespaces["siteA"], tables=(Table("inet", "mine", 1, 2),), xfrm={"policy": 3})
    seen = replace(seen, namespaces={**seen.namespaces, "siteA": site})
    steps: list[Step] = [step for step in plan(TWO_SITE, seen) if step.namespace == "siteA"]
    assert [line.removeprefix("siteA") for line in lines(seen)] == [
        " nftables table inet mine (1 chain, 2 rules) (is not in the file)",
        " xfrm policy (3 of them) (is not in the file)",
        ":wan0 qdisc tbf at root (is not in the file)",
        ":wan0 qdisc pfifo at parent 1:a (is not in the file)",
        ":wan0 neighbour 192.0.2.9 lladdr 02:00:00:00:00:01 permanent (is not in the file)",
        ":wan0 proxy neighbour 192.0.2.8 (is not in the file)",
        ":wan0 neighbour 192.0.2.2 lladdr 02:00:00:00:00:02 stale (no interface of the lab has that MAC)",
        ":wan0 arp on (is off)",
    ]
    assert [command(step) for step in steps] == [
        "ip netns exec siteA nft delete table inet mine",
        "ip -n siteA xfrm policy flush",
        "tc -n siteA qdisc del dev wan0 root",
        "tc -n siteA qdisc del dev wan0 parent 1:a",
        "ip -n siteA neigh del 192.0.2.9 dev wan0",
        "ip -n siteA neigh del proxy 192.0.2.8 dev wan0",
        "ip -n siteA neigh del 192.0.2.2 dev wan0",
        "ip -n siteA link set dev wan0 arp on",
    ]


def test_what_could_not_be_looked_at_is_said_with_its_place_and_reason() -> None:
    blind, other = Namespace(unseen={"nftables": "no such protocol", "iptables": "it has the table nat"}), Namespace()
    assert "nftables" in coverage(NOTHING).looked_at
    seen = coverage(Facts({"a": blind, "b": replace(other, unseen={"nftables": "no such protocol"})}))
    assert "nftables" not in seen.looked_at and "IPsec" in seen.looked_at
    assert seen.not_looked_at[:2] == ("nftables (no such protocol)", "iptables in a (it has the table nat)")


def test_a_setting_is_expected_as_the_file_makes_it() -> None:
    """What one setting of the file does to each interface: of all, of new ones, of this one."""
    topology = Topology.read(
        {
            "name": "lab",
            "namespaces": {
                "n": {
                    "interfaces": {"t0": {"kind": "tap", "addresses": ["fd00::1/64"]}, "t1": {"kind": "tap"}},
                    "sysctls": {
                        "net.ipv4.conf.default.rp_filter": 2,
                        "net.ipv4.conf.t1.rp_filter": 1,
                        "net.ipv4.ip_forward": 1,
                        "net.ipv6.conf.all.forwarding": 1,
                    },
                }
            },
        }
    )
    facts = made(topology)
    kept = facts.namespaces["n"]

    def planned(**found: str) -> list[str]:
        sysctls = {**kept.sysctls, **{path.replace("__", "/"): value for path, value in found.items()}}
        left = replace(facts, namespaces={"n": replace(kept, sysctls=sysctls)})
        return [f"{step.words} ({reason})" for step, reason in changes(topology, left)]

    right = {"net__ipv4__conf__t0__rp_filter": "2", "net__ipv4__conf__t1__rp_filter": "1"}
    right |= {f"net__ipv{v}__conf__{i}__forwarding": "1" for v in "46" for i in ("lo", "t0", "t1")}
    assert planned(**right) == []
    assert planned(net__ipv4__conf__t0__rp_filter="0") == ["sysctl net.ipv4.conf.t0.rp_filter = 2 (is 0)"]
    assert planned(net__ipv6__conf__t0__forwarding="0") == ["sysctl net.ipv6.conf.t0.forwarding = 1 (is 0)"]
    assert planned(net__ipv4__conf__lo__arp_ignore="1") == ["sysctl net.ipv4.conf.lo.arp_ignore = 0 (is 1)"]
    off = {"net__ipv4__ip_forward": "0", "net__ipv4__conf__t0__forwarding": "0"}
    assert planned(**off) == ["sysctl net.ipv4.ip_forward = 1 (is 0)"]
