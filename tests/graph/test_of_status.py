"""What was found of a running lab becomes what its picture shows."""

from __future__ import annotations

from dataclasses import replace

from labctl.engine.packets.impairment import Impairment
from labctl.lab.cables.status import CableStatus
from labctl.lab.status import EngineStatus, HostStatus, Status
from labctl.plan import facts
from labctl.plan.desired import desired
from labctl.plan.facts import Facts, Link
from labctl.plan.plan import between
from labctl.report.graph.model import Cable, Picture
from labctl.report.graph.of_status import of_status
from labctl.report.graph.of_topology import of_topology
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.load import loads
from tests.e2e.labs import PAIR
from tests.graph.drawn import assert_drawn_well

TOPOLOGY = loads(f"hosts_file: false\n{PAIR}", "pair.yaml")
LEFT, RIGHT = InterfaceRef("left", "eth0"), InterfaceRef("right", "eth0")
LO = Link("lo", "lo", True, True, "unknown", 65536, addresses=("127.0.0.1/8", "::1/128"))
ETH0 = Link("eth0", "veth", True, True, "up", 1500, addrgenmode="none", networks=("192.0.2.0/30",))
ONE = replace(ETH0, peer=RIGHT, addresses=("192.0.2.1/30",), local=("192.0.2.1/32",))
OTHER = replace(ETH0, peer=LEFT, addresses=("192.0.2.2/30",), local=("192.0.2.2/32",))
FOUND = {"left": facts.Namespace({"lo": LO, "eth0": ONE}), "right": facts.Namespace({"lo": LO, "eth0": OTHER})}


def picture(found: dict[str, facts.Namespace | None], *engines: EngineStatus) -> Picture:
    """The picture of a lab of the file in which this was found; differences of settings are left out."""
    known = {name: space for name, space in found.items() if space is not None}
    pending = between(desired(TOPOLOGY), Facts(known))
    changes = tuple(change for change in pending.changes if "sysctl" not in change.step.words)
    status = Status("pair", "root", "", found, engines, (), replace(pending, changes=changes), TOPOLOGY)
    return of_status(of_topology(TOPOLOGY), status)


def with_link(name: str, link: Link) -> dict[str, facts.Namespace | None]:
    return {**FOUND, name: replace(FOUND[name], links={**FOUND[name].links, link.name: link})}


def test_a_lab_as_its_file_says_has_no_faults() -> None:
    found = picture({**FOUND})
    assert not any(space.faults or space.gone for space in found.namespaces)
    assert not any(interface.faults for interface in found.interfaces)
    assert [cable.dead for cable in found.cables] == [False]


def test_a_namespace_that_is_gone_takes_its_cables_along() -> None:
    found = picture({**FOUND, "right": None})
    assert [space.gone for space in found.namespaces] == [False, True]
    assert found.namespaces[1].faults == ("is gone",)
    assert [cable.dead for cable in found.cables] == [True]
    assert_drawn_well(found)


def test_a_namespace_and_a_cable_that_are_not_in_the_file_are_drawn_all_the_same() -> None:
    here, there = InterfaceRef("left", "x"), InterfaceRef("more", "y")
    left = replace(FOUND["left"], links={**FOUND["left"].links, "x": replace(ETH0, name="x", peer=there)})
    more = facts.Namespace({"lo": LO, "y": replace(ETH0, name="y", peer=here, up=False)})
    found = picture({**FOUND, "left": left, "more": more})
    assert Cable(here, there, dead=True) in found.cables
    assert found.namespaces[2].faults == ("namespace is not in the file",)
    assert_drawn_well(found)


def test_what_packets_suffer_on_a_cable_is_what_the_kernel_says() -> None:
    found = picture(with_link("left", replace(ONE, netem=Impairment(delay=0.05))))
    [left, _] = found.interfaces
    assert left.impaired == "delay 50ms"
    assert left.faults == ("netem delay 50ms is not in the file",)


def test_addresses_that_the_kernel_makes_by_itself_are_left_out() -> None:
    found = picture(with_link("left", replace(ONE, addresses=(*ONE.addresses, "fe80::1/64"))))
    assert next(found.interfaces).addresses == ("192.0.2.1/30",)


def test_many_faults_are_counted() -> None:
    links = {f"d{n}": Link(f"d{n}", "dummy", True, True, "up", 1500) for n in range(20)}
    link = replace(ONE, addresses=tuple(f"10.0.{n}.1/24" for n in range(20)))
    left = replace(FOUND["left"], links={"eth0": link, **links})
    found = picture({**FOUND, "left": left})
    assert len(next(found.interfaces).faults) > 20
    assert_drawn_well(found)


def test_of_a_lab_whose_file_is_not_known_all_is_drawn_that_is_there() -> None:
    status = Status("pair", "root", "", {**FOUND}, ())
    found = of_status(Picture("pair"), status)
    assert [space.name for space in found.namespaces] == ["left", "right"]
    assert found.cables == (Cable(LEFT, RIGHT),)
    assert not any(interface.faults for interface in found.interfaces)
    assert "cannot be compared" in found.state
    assert_drawn_well(found)


def between_hosts(*ends_up: bool, reached: bool = True) -> Picture:
    """The picture of the lab with a host for each namespace, whose cable is so at each end."""
    links = {"left": replace(ONE, kind="tap", peer=None), "right": replace(OTHER, kind="tap", peer=None)}
    found = {name: facts.Namespace({"lo": LO, "eth0": link}) for name, link in links.items()}
    cables = tuple(
        CableStatus(str(end), "c", "", "", True, 1, 1, None, "up" if up else "nothing_in", 0, 0, {}, ())
        for end, up in zip((LEFT, RIGHT), ends_up, strict=True)
    )
    hosts = (HostStatus("srv1", ("left",), True), HostStatus("srv2", ("right",), reached))
    there: dict[str, facts.Namespace | None] = {**found}
    if not reached:
        del there["right"]
    pending = replace(between(desired(TOPOLOGY), Facts(found)), changes=())
    status = Status("pair", "root", "", there, (), (), pending, TOPOLOGY, cables=cables, hosts=hosts)
    return of_status(of_topology(TOPOLOGY), status)


def test_a_cable_between_hosts_is_dead_where_an_end_of_it_does_not_carry() -> None:
    assert [cable.dead for cable in between_hosts(True, True).cables] == [False]
    assert [cable.dead for cable in between_hosts(True, False).cables] == [True]


def test_of_a_host_that_is_not_reached_nothing_is_told() -> None:
    found = between_hosts(False, False, reached=False)
    assert [space.gone for space in found.namespaces] == [False, False]
    assert found.namespaces[1].faults == ("is not known: srv2 is not reached",)
    assert found.state == "running (root), as its file says, but for srv2: not reached"
    assert_drawn_well(found)
