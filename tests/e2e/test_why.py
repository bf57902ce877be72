"""Why a namespace does not reach an address: also one that the lab does not have."""

from __future__ import annotations

import pytest

from tests.e2e.world import World

ROUTER = """\
name: near
namespaces:
  left:
    interfaces:
      eth0: {kind: veth, peer: "router:eth0", addresses: [192.0.2.1/30]}
    routes: [{to: default, via: 192.0.2.2}]
  router:
    sysctls: {net.ipv4.ip_forward: 1}
    interfaces:
      eth0: {kind: veth, peer: "left:eth0", addresses: [192.0.2.2/30]}
"""


def test_the_router_that_has_no_route_to_an_address_is_named(here: World) -> None:
    here.labctl("up", here.file("near.yaml", ROUTER))
    assert here.json("why", "left", "192.0.2.2")["reached"]
    told = here.json("why", "left", "203.0.113.7", code=1)
    (cause,) = told["diagnosis"]
    assert (cause["hop"], cause["reason"]) == ("router", "no-route")
    assert cause["evidence"][0] == {"place": "router:eth0", "what": "arrived", "value": "3 packets seen on the wire"}
    here.labctl("down")


@pytest.mark.parametrize("address", ["224.0.0.1", "ff02::1", "0.0.0.0", "255.255.255.255"])
def test_an_address_that_is_not_of_one_host_is_refused(as_user: World, address: str) -> None:
    as_user.labctl("up", as_user.file("near.yaml", ROUTER))
    assert "not the address of one host" in as_user.labctl("why", "left", address, code=2).stderr
    as_user.labctl("down")
