"""Why a namespace does not reach an address: also one that the lab does not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.labs import tunnel
from tests.e2e.world import World

ROUTER = """\
name: near
namespaces:
  left:
    interfaces:
      eth0: {kind: veth, peer: "router:eth0", addresses: [192.0.2.1/30]}
    routes: [{to: default, via: 192.0.2.2}]
    sysctls: {net.ipv4.ip_forward: 0}
  router:
    sysctls: {net.ipv4.ip_forward: 1}
    interfaces:
      eth0: {kind: veth, peer: "left:eth0", addresses: [192.0.2.2/30]}
      eth1: {kind: veth, peer: "right:eth0", addresses: [192.0.2.9/29]}
    routes: [{to: 198.51.100.0/24, via: 192.0.2.1}]
  right:
    interfaces:
      eth0: {kind: veth, peer: "router:eth1", addresses: [192.0.2.10/29]}
    sysctls: {net.ipv4.ip_forward: 0}
"""


def test_where_an_address_that_the_lab_does_not_have_is_not_reached(here: World) -> None:
    here.labctl("up", here.file("near.yaml", ROUTER))
    assert here.json("why", "left", "192.0.2.2")["reached"]
    cause = only_cause(here, "left", "203.0.113.7")
    assert (cause["hop"], cause["reason"]) == ("router", "no-route")
    arrived, said = cause["evidence"][:2]
    assert arrived == {"place": "router:eth0", "what": "arrived", "value": "3 packets seen on the wire"}
    assert said["value"].startswith("ICMP network unreachable")
    for _ in range(2):  # the second time while the kernel still waits for the answer to an earlier request
        cause = only_cause(here, "left", "192.0.2.12")
        assert (cause["hop"], cause["reason"]) == ("router:eth1", "address-missing")
    cause = only_cause(here, "router", "198.51.100.7")
    assert (cause["hop"], cause["reason"]) == ("left:eth0", "address-missing")
    assert any(each["what"] == "IpInAddrErrors" for each in cause["evidence"])
    here.labctl("down")


@pytest.mark.parametrize(
    ("route", "named"),
    [
        ("203.0.113.0/24 via 192.0.2.10", ("right:eth0", "address-missing")),
        ("203.0.113.0/24 via 192.0.2.1", ("router:eth0", "wrong-next-hop")),
        ("203.0.113.0/24 dev eth1", ("router:eth1", "address-missing")),
        ("blackhole 203.0.113.0/24", ("router", "route-rejects")),
    ],
)
def test_packets_are_followed_by_the_routes_that_the_file_does_not_have(
    here: World, route: str, named: tuple[str, str]
) -> None:
    here.labctl("up", here.file("near.yaml", ROUTER))
    here.labctl("exec", "router", "--", "ip", "route", "add", *route.split())
    cause = only_cause(here, "left", "203.0.113.7")
    assert (cause["hop"], cause["reason"]) == named
    here.labctl("down")


NOT_OF_ONE_HOST = ["224.0.0.1", "ff02::1", "0.0.0.0", "255.255.255.255", "192.0.2.3", "192.0.2.15", "fe80::1"]


@pytest.mark.parametrize("address", NOT_OF_ONE_HOST)
def test_an_address_that_is_not_of_one_host_is_refused(as_user: World, address: str) -> None:
    as_user.labctl("up", as_user.file("near.yaml", ROUTER))
    assert "not the address of one host" in as_user.labctl("why", "left", address, code=2).stderr
    as_user.labctl("down")


def only_cause(here: World, sender: str, address: str) -> Any:
    (cause,) = here.json("why", sender, address, code=1)["diagnosis"]
    return cause


LEARNED = """\
name: learned
namespaces:
  one:
    interfaces: {eth0: {kind: veth, peer: "two:eth0", addresses: [192.0.2.1/30]}}
  two:
    sysctls: {net.ipv4.ip_forward: 1}
    interfaces:
      eth0: {kind: veth, peer: "one:eth0", addresses: [192.0.2.2/30]}
      eth1: {kind: veth, peer: "three:eth0", addresses: [192.0.2.5/30]}
  three:
    interfaces:
      eth0: {kind: veth, peer: "two:eth1", addresses: [192.0.2.6/30]}
      lan0: {kind: bridge, addresses: [10.3.0.1/16]}
"""


def test_the_answer_is_followed_by_the_routes_that_were_learned(here: World) -> None:
    """As with a routing daemon, the file has no routes; that there is no way back is found all the same."""
    here.labctl("up", here.file("learned.yaml", LEARNED))
    for space, via in (("one", "192.0.2.2"), ("two", "192.0.2.6")):
        here.labctl("exec", space, "--", *f"ip route add 10.3.0.0/16 via {via} proto bgp".split())
    cause = only_cause(here, "one", "10.3.0.1")
    assert (cause["hop"], cause["reason"]) == ("three", "no-route")
    assert "no route back to 192.0.2.1" in cause["words"]
    here.labctl("exec", "three", "--", "ip", "route", "add", "192.0.2.0/30", "via", "192.0.2.5", "proto", "bgp")
    assert here.json("why", "one", "10.3.0.1")["reached"]
    here.labctl("exec", "two", "--", "sysctl", "-qw", "net.ipv4.ip_forward=0")
    cause = only_cause(here, "one", "10.3.0.1")
    assert (cause["hop"], cause["reason"]) == ("two:eth0", "forwarding-off")
    here.labctl("down")


FLOW = """\
  - name: flow
    throughput: {from: siteA, to: siteB, address: 10.0.102.1, seconds: 0.3, at_least: 1Mbit/s}
"""


def test_a_connection_that_opens_and_carries_nothing_is_lost_for_the_size_of_its_packets(here: World) -> None:
    file = tunnel(checks=FLOW).replace('9000"}', '9000", offload: false}')
    here.labctl("up", here.file("tunnel.yaml", file))
    here.labctl("exec", "siteB", "--", "ip", "link", "set", "wan0", "mtu", "1300")
    (cause,) = here.json("verify", code=1)["diagnosis"]
    assert (cause["hop"], cause["reason"]) == ("siteB:wan0", "mtu-black-hole")
    assert "1500 bytes do not fit" in cause["words"]
    here.labctl("down")
