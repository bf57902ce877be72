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
    kernel = Kernel()
    for step in plan(topology, NOTHING):
        kernel.perform(step)
    facts = kernel.facts()
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
