"""A lab over several hosts: its parts together are the lab, and each is one that a host can make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.plan.desired import desired
from labctl.plan.facts import NOTHING
from labctl.plan.parts import fitted, parts
from labctl.plan.steps import AddLink, AddVeth, SetNetem, StartCable, Step
from labctl.topology.cables import cables_of, host_of
from labctl.topology.hosts_lines import hosts_lines
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.load import load, loads
from labctl.topology.model import Bridge, LabHost, Topology, Veth
from labctl.topology.routed import Network
from labctl.topology.rules import mistakes_of
from labctl.topology.segments import Segments
from labctl.topology.shipped import find, names
from tests.plan.over_hosts import HOSTS, over_hosts
from tests.plan.test_plan import Kernel, plan, topologies


@st.composite
def spread(draw: st.DrawFn, labs: st.SearchStrategy[Topology]) -> Topology:
    topology = draw(labs)
    return over_hosts(topology, {name: draw(st.sampled_from(HOSTS)) for name in topology.namespaces})


@cache
def shipped(name: str) -> Topology:
    return load(find(name))


SHIPPED = st.sampled_from(names()).map(shipped)


def steps_of_parts(topology: Topology) -> Counter[Step]:
    """What is done on one machine, but that an end of a cable is a TAP device."""
    cables = {end: cable for cable in cables_of(topology) for end in cable}
    return Counter(_on_hosts(desired(topology).steps, cables))


def _on_hosts(steps: tuple[Step, ...], cables: Mapping[InterfaceRef, object]) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, AddVeth) and step.ref in cables:
            yield from (AddLink(*end, "tap") for end in (step.ref, step.peer))
        else:
            yield step


@settings(max_examples=60)
@given(st.one_of(spread(topologies()), spread(SHIPPED)))
def test_the_parts_together_are_the_lab(topology: Topology) -> None:
    found = parts(topology)
    placed = {name: host for host, part in found.items() for name in part.namespaces}
    assert sum(len(part.namespaces) for part in found.values()) == len(topology.namespaces)
    assert placed == {name: host_of(topology, name) for name in topology.namespaces}
    steps: Counter[Step] = Counter()
    for part in found.values():
        steps.update(step for step in desired(part).steps if not isinstance(step, StartCable))  # what cables take
    assert steps == steps_of_parts(topology)


@settings(max_examples=60)
@given(st.one_of(spread(topologies()), spread(SHIPPED)))
def test_a_cable_has_an_end_in_two_parts(topology: Topology) -> None:
    found = parts(topology)
    ends = {end.device: (host, end) for host, part in found.items() for end in part.cables}
    assert len(ends) == sum(len(part.cables) for part in found.values()) == 2 * len(cables_of(topology))
    for device, (host, end) in ends.items():
        other_host, other = ends[end.peer]
        assert (other.peer, other.cable, other.host, end.host) == (device, end.cable, host, other_host)
        assert host != other_host
        here, there = (part.namespaces[ref.namespace].interfaces[ref.interface].written()
                       for part, ref in ((found[host], device), (topology, device)))  # fmt: skip
        assert {**here, "kind": "veth"} == {key: value for key, value in there.items() if key != "peer"}
    for part in found.values():
        for space in part.namespaces.values():
            veths = [each.peer for each in space.interfaces.values() if isinstance(each, Veth)]
            assert all(peer.interface in part.namespaces[peer.namespace].interfaces for peer in veths)


@settings(max_examples=60)
@given(st.one_of(spread(topologies()), spread(SHIPPED)))
def test_a_host_makes_its_part_as_any_lab(topology: Topology) -> None:
    for part in parts(topology).values():
        assert Topology.of_record(part.as_record()) == part
        assert list(mistakes_of(Network(part.replace(checks=())))) == []
        known = {check.name for check in part.checks}
        assert all({*check.needs} <= known for check in part.checks)
        if topology.hosts_file:
            assert hosts_lines(part) == {
                name: lines for name, lines in hosts_lines(topology).items() if name in part.namespaces
            }


@settings(max_examples=30)
@given(spread(topologies()))
def test_once_made_there_is_nothing_to_do(topology: Topology) -> None:
    for part in parts(topology).values():
        kernel = Kernel()
        for step in plan(part, NOTHING):
            kernel.perform(step)
        assert plan(part, kernel.facts()) == []


@given(topologies())
def test_a_lab_on_one_host_is_the_lab(topology: Topology) -> None:
    everywhere = over_hosts(topology, dict.fromkeys(topology.namespaces, "srv2"))
    (alone,) = parts(everywhere).items()
    values = [of.written() for of in (alone[1], topology)]
    for space in (space for of in values for space in of["namespaces"].values()):
        for program in space.get("programs", ()):
            program.pop("after", None)  # in two ways to write it
    assert values[0] == values[1]
    assert parts(topology.replace(hosts={"srv1": LabHost.read({})})) == {"srv1": topology}


@settings(max_examples=60)
@given(spread(topologies()), st.integers(600, 9000))
def test_a_broadcast_domain_is_as_narrow_as_its_cables(topology: Topology, carried: int) -> None:
    cables = {str(cable): carried + number for number, cable in enumerate(cables_of(topology))}
    found = fitted(topology, cables)

    def mtus(of: Topology, domain: tuple[InterfaceRef, ...]) -> set[int | None]:
        return {of.namespaces[ref.namespace].interfaces[ref.interface].mtu for ref in domain if not is_bridge(ref)}

    def is_bridge(ref: InterfaceRef) -> bool:
        return isinstance(topology.namespaces[ref.namespace].interfaces[ref.interface], Bridge)

    for segment in Segments(topology):
        inside = [mtu for cable, mtu in zip(cables_of(topology), cables.values(), strict=True) if cable.one in segment]
        interfaces = [topology.namespaces[ref.namespace].interfaces[ref.interface] for ref in segment.interfaces]
        if not inside or any(interface.mtu for interface in interfaces):
            assert mtus(found, segment.interfaces) == mtus(topology, segment.interfaces)
        else:
            six = any(address.version == 6 for interface in interfaces for address in interface.addresses)
            assert mtus(found, segment.interfaces) == {max(min(*inside, 1500), 1280 if six else 68)}
    assert fitted(topology, {}) == topology


@pytest.mark.parametrize(("carried", "of_cable", "of_tunnel"), [(1434, 1434, 1406), (8934, 1500, 1472)])
def test_the_lab_of_the_readme_over_two_hosts(carried: int, of_cable: int, of_tunnel: int) -> None:
    topology = over_hosts(shipped("two-site"), {"siteA": "srv1", "siteB": "srv2"})
    one, other = parts(fitted(topology, {"siteA:wan0-siteB:wan0": carried})).values()
    (end,) = one.cables
    assert (str(end.device), str(end.peer), end.host, end.address) == ("siteA:wan0", "siteB:wan0", "srv2", "srv1")
    assert (end.mtu, str(end.ports)) == (of_cable, "47000-47099")
    for part, name, tun in ((one, "siteA", "tun0"), (other, "siteB", "tun1")):
        assert part.namespaces[name].interfaces["wan0"].mtu == of_cable
        assert part.namespaces[name].interfaces[tun].mtu == of_tunnel


def test_the_narrowest_of_the_whole_way_counts_for_a_tunnel() -> None:
    """It is on the other host."""
    text = find("two-site").read_text(encoding="utf-8").replace('peer: "siteA:wan0",', 'peer: "siteA:wan0", mtu: 1300,')
    topology = over_hosts(loads(text, "lab.yaml"), {"siteA": "srv1", "siteB": "srv2"})
    one, other = parts(topology).values()
    assert one.namespaces["siteA"].interfaces["tun0"].mtu == other.namespaces["siteB"].interfaces["tun1"].mtu == 1272


def test_checks_are_left_to_a_host_that_has_all_that_they_name() -> None:
    text = """
name: lab
namespaces:
  a: {interfaces: {x: {kind: dummy, addresses: [10.0.0.1/24]}}}
  b: {interfaces: {x: {kind: dummy, addresses: [10.1.0.1/24]}}}
checks:
  - {name: across, exec: {in: a, command: "true"}, quiet: ["b:x"]}
  - {name: after-across, exec: {in: a, command: "true"}, needs: [across]}
  - {name: after-that, exec: {in: a, command: "true"}, needs: [after-across, own]}
  - {name: own, exec: {in: a, command: "true"}, quiet: ["a:x"]}
  - {name: of-b, exec: {in: b, command: "true"}}
"""
    found = parts(over_hosts(loads(text, "lab.yaml"), {"a": "srv1", "b": "srv2"}))
    assert {host: [check.name for check in part.checks] for host, part in found.items()} == {
        "srv1": ["own"],
        "srv2": ["of-b"],
    }


def test_an_end_that_is_impaired_is_so_by_netem_of_its_tap() -> None:
    text = """
name: lab
namespaces:
  a: {interfaces: {x: {kind: veth, peer: "b:x", impair: {delay: 50ms, loss: 10%}}}}
  b: {interfaces: {x: {kind: veth, peer: "a:x"}}}
"""
    one, other = parts(over_hosts(loads(text, "lab.yaml"), {"a": "srv1", "b": "srv2"})).values()
    (step,) = [step for step in desired(one).steps if isinstance(step, SetNetem)]
    assert (str(step.ref), str(step.impairment)) == ("a:x", "delay 50ms loss 10%")
    assert not any(isinstance(step, SetNetem) for step in desired(other).steps)
