"""A destination that no namespace has, over facts that are written by hand, and in a lab that runs."""

from __future__ import annotations

import errno
from dataclasses import replace
from ipaddress import ip_address

import pytest

from labctl.diagnosis import walk
from labctl.diagnosis.facts import Case
from labctl.diagnosis.path import Asked
from labctl.diagnosis.reasons import Reason
from labctl.kernel.lookup import NoWay
from labctl.kernel.nftables.ruleset import Chain, Rule
from labctl.plan.facts import Neighbour
from labctl.trace.dissect import Icmp
from tests.diagnosis.cases import asking, followed, named, topology, with_space, with_way

NOWHERE = Asked("siteA", ip_address("10.0.102.9"))
FORWARDS = "net/ipv4/conf/tun1/forwarding"


def at_its_end(asked: Asked, lab: str = "two-site") -> Case:
    """A probe whose packets were seen all along the way that the file has."""
    case = asking(topology(lab), asked)
    return followed(case, len(case.stages))


def refused(case: Case, number: int) -> Case:
    return with_way(case, len(case.stages) - 1, NoWay(number, ""))


def test_a_host_that_does_not_forward_has_no_such_address() -> None:
    case = with_space(at_its_end(NOWHERE), "siteB", settings={FORWARDS: "0"}, moved={"IpInAddrErrors": 3})
    (found,) = walk.verdicts(refused(case, errno.EHOSTUNREACH))
    assert (found.hop, found.reason) == ("siteB:tun1", Reason.ADDRESS_MISSING)
    assert found.words == (
        "no namespace has the address 10.0.102.9; it came to siteB, which does not forward what is for others"
    )
    told = {(each.place, each.what, each.value) for each in found.evidence}
    assert {("siteB:tun1", "arrived", "1 packet seen on the wire"), ("siteB", "IpInAddrErrors", "+3")} <= told


def test_a_host_that_forwards_is_not_told_not_to() -> None:
    case = with_space(at_its_end(NOWHERE), "siteB", settings={FORWARDS: "1"})
    (found,) = walk.verdicts(refused(case, errno.EHOSTUNREACH))
    assert (found.hop, found.reason) == ("siteB:tun1", Reason.UNKNOWN)


def test_a_router_without_a_route_is_named_with_what_it_counted_and_said() -> None:
    case = with_space(at_its_end(NOWHERE), "siteB", moved={"IpExtInNoRoutes": 3})
    (probe,) = case.probes
    assert probe.packet is not None
    message = Icmp(3, 0, "destination unreachable", is_error=True)
    error = replace(probe.packet, source="10.0.2.1", destination="10.0.101.1", transport=message, quoted=probe.packet)
    said = replace(probe, packet=error, sightings=probe.sightings[-1:])
    (found,) = walk.verdicts(replace(refused(case, errno.ENETUNREACH), journeys=[probe, said]))
    assert (found.hop, found.reason) == ("siteB", Reason.NO_ROUTE)
    assert found.words == "siteB has no route to 10.0.102.9, an address that no namespace has"
    assert {(each.what, each.value) for each in found.evidence} >= {
        ("says", "ICMP network unreachable"),
        ("IpExtInNoRoutes", "+3"),
    }


@pytest.mark.parametrize("number", [errno.ENETUNREACH, errno.EHOSTUNREACH])
def test_a_look_up_says_nothing_of_packets_that_are_rewritten_before_they_are_routed(number: int) -> None:
    """A destination may be translated to one that there is; only a counter tells that there was no route."""
    nat = Chain("ip", "n", "pre", "prerouting", -100, "nat", "accept", rules=(Rule(2, "ip daddr 10.0.102.9 dnat"),))
    case = refused(with_space(at_its_end(NOWHERE), "siteB", chains=[nat], settings={FORWARDS: "0"}), number)
    assert {each.reason for each in walk.verdicts(case)} == {Reason.UNKNOWN}
    counted = with_space(case, "siteB", moved={"IpExtInNoRoutes": 1, "IpInAddrErrors": 1})
    assert Reason.UNKNOWN not in {each.reason for each in walk.verdicts(counted)}


@pytest.mark.parametrize("state", ["incomplete", "failed"])
def test_what_no_host_on_a_link_has_is_told_where_it_is_asked_for(state: str) -> None:
    """A request may have been sent before the first look; and the hosts of the link have no part in it."""
    (found,) = walk.verdicts(asked_on_the_link(Asked("h1", ip_address("10.9.0.77")), state))
    assert named([found]) == {("h1:eth0", "address-missing")}
    assert found.words == "no host has the address 10.9.0.77, which h1 looks for on its link eth0"


def test_that_a_host_asks_for_no_neighbour_needs_a_setting_that_forbids_it() -> None:
    case = asked_on_the_link(Asked("h1", ip_address("10.9.0.2"), receiver="h2"), "incomplete")
    assert {each.reason for each in walk.verdicts(case)} == {Reason.UNKNOWN}
    forbidden = {"net/ipv4/neigh/eth0/mcast_solicit": "0"}
    assert named(walk.verdicts(with_space(case, "h1", settings=forbidden))) == {("h1:eth0", "neighbour-failed")}


def asked_on_the_link(asked: Asked, state: str) -> Case:
    """A probe to a neighbour that has not answered, of which no packet was seen, nor a request."""
    case = asking(topology("switch"), asked, 0)
    return with_space(case, asked.sender, neighbours={"eth0": [Neighbour(str(asked.to), "", state)]})
