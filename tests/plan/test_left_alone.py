"""What lines and programs make that no file describes is no drift; all else that is not in the file is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labctl.plan.facts import NOTHING, Facts, Link, Qdisc
from labctl.plan.routes import NextHop, Route
from labctl.topology.load import loads
from labctl.topology.model import Topology
from tests.plan.test_plan import Kernel, changes, plan

LAB = """\
name: lab
namespaces:
  a:
    interfaces: {eth0: {kind: veth, peer: "b:eth0", addresses: [192.0.2.1/30]}}
    %s
  b:
    interfaces: {eth0: {kind: veth, peer: "a:eth0", addresses: [192.0.2.2/30]}}
"""
LINES, PROGRAMS, NONE = "exec: [./make-tunnel]", "programs: [{name: daemon, command: ./daemon}]", "routes: []"


def lab(what: str) -> Topology:
    return loads(LAB % what, "lab.yaml")


def made(topology: Topology, namespace: str, kind: str) -> Facts:
    """The lab with what a person, a line or a program may have made in a namespace."""
    facts = as_made(topology)
    space = facts.namespaces[namespace]
    tunnel = Link("t0", kind, True, True, "up", 1400, addresses=("10.9.0.1/24",))
    eth0 = replace(space.links["eth0"], qdiscs=(Qdisc("tbf", "root"),))
    hops = (NextHop("10.9.0.2", "t0"), NextHop("192.0.2.2", "eth0"))
    routes = (*space.routes, Route("10.8.0.0/16", dev="t0"), Route("10.7.0.0/16", nexthops=hops))
    space = replace(space, links={**space.links, "eth0": eth0, "t0": tunnel}, routes=routes, xfrm={"policy": 2})
    return replace(facts, namespaces={**facts.namespaces, namespace: space})


def differing(topology: Topology, facts: Facts) -> set[str]:
    """What `up` would do, each by its first words."""
    return {f"{change.step.subject} {change.step.words}" for change in changes(topology, facts)}


@pytest.mark.parametrize(
    ("what", "namespace", "kind", "gone"),
    [
        (LINES, "a", "vxlan", set()),
        (LINES, "a", "", set()),  # a device of the machine
        (LINES, "b", "vxlan", {"t0", "route", "qdisc", "xfrm"}),  # where no line is
        (LINES, "a", "bridge", {"t0", "route"}),  # for which there are keys
        (PROGRAMS, "a", "vxlan", {"qdisc", "xfrm"}),
        (NONE, "a", "vxlan", {"t0", "route", "qdisc", "xfrm"}),
    ],
)
def test_what_stays_and_what_goes(what: str, namespace: str, kind: str, gone: set[str]) -> None:
    topology = lab(what)
    told = differing(topology, made(topology, namespace, kind))
    words = {word for word in ("t0", "route", "qdisc", "xfrm") for each in told if word in each}
    assert words == gone, told
    assert bool(told) == bool(gone)


@pytest.mark.parametrize(("what", "stays"), [(PROGRAMS, True), (LINES, True), (NONE, False)])
def test_a_device_that_goes_with_its_program_stays(what: str, stays: bool) -> None:
    topology = lab(what)
    facts = made(topology, "a", "tun")
    space = facts.namespaces["a"]
    own = replace(space, links={**space.links, "t0": replace(space.links["t0"], persistent=False)})
    told = differing(topology, replace(facts, namespaces={**facts.namespaces, "a": own}))
    assert any("t0" in each for each in told) is not stays, told


def test_an_interface_that_the_file_wants_of_another_kind_goes() -> None:
    topology = loads((LAB % LINES).replace("{eth0: {kind: veth", "{t0: {kind: tun}, eth0: {kind: veth", 1), "lab.yaml")
    assert any("t0" in each for each in differing(topology, made(topology, "a", "vxlan")))


def as_made(topology: Topology) -> Facts:
    kernel = Kernel()
    for step in plan(topology, NOTHING):
        kernel.perform(step)
    return kernel.facts()


def with_link(facts: Facts, name: str, link: Link, *routes: Route) -> Facts:
    """The facts with an interface of the namespace a, and with more routes there."""
    space = facts.namespaces["a"]
    space = replace(space, links={**space.links, name: link}, routes=(*space.routes, *routes))
    return replace(facts, namespaces={**facts.namespaces, "a": space})


@pytest.mark.parametrize(
    ("what", "own", "stays"), [(PROGRAMS, "", True), (PROGRAMS, "192.0.2.1/30", False), (NONE, "", False)]
)
def test_an_address_of_an_interface_to_which_the_file_gives_none(what: str, own: str, stays: bool) -> None:
    topology = loads((LAB % what).replace("192.0.2.1/30", own), "lab.yaml")
    facts = as_made(topology)
    eth0 = facts.namespaces["a"].links["eth0"]
    leased = replace(eth0, addresses=(*eth0.addresses, "192.0.2.9/24"))
    route = Route("0.0.0.0/0", via="192.0.2.2", dev="eth0")
    assert (differing(topology, with_link(facts, "eth0", leased, route)) == set()) == stays


@pytest.mark.parametrize(("what", "stays"), [(LINES, True), (PROGRAMS, False)])
def test_how_a_bridge_works(what: str, stays: bool) -> None:
    topology = loads(
        (LAB % what).replace("{eth0: {kind: veth", "{br0: {kind: bridge}, eth0: {kind: veth", 1), "lab.yaml"
    )
    facts = as_made(topology)
    br0 = facts.namespaces["a"].links["br0"]
    changed = with_link(facts, "br0", replace(br0, options={**br0.options, "type bridge stp_state": "1"}))
    assert (differing(topology, changed) == set()) == stays
    assert differing(topology, with_link(changed, "br0", replace(br0, options={**br0.options, "arp": "off"})))
