"""Where two parts of a file may use the same addresses; where they may not is in errors/address-meets.yaml."""

from __future__ import annotations

from textwrap import indent

import pytest

from labctl.topology.load import loads
from labctl.topology.mistakes import FileMistakes

# A host with a private address behind a router with another; {n} tells the sites apart, {wan} is what else it has.
SITE = """\
host{n}:
  interfaces:
    eth0: {{kind: veth, peer: "router{n}:lan", mac: "02:00:00:00:00:01", addresses: [10.0.0.5/24, "fe80::5/64"]}}
  routes: [{{to: default, via: 10.0.0.1}}]
router{n}:
  interfaces:
    lan: {{kind: veth, peer: "host{n}:eth0", mac: "02:00:00:00:00:02", addresses: [10.0.0.1/24]}}
    wan: {wan}
  routes: [{{to: default, dev: wan}}{route}]
  sysctls: {{net.ipv4.ip_forward: 1}}
"""
NET = """\
net:
  interfaces:
    one: {{kind: veth, peer: "router1:wan", addresses: [192.0.2.1/30]}}
    two: {{kind: veth, peer: "router2:wan", addresses: [198.51.100.1/30]}}
  routes: [{routes}]
  sysctls: {{net.ipv4.ip_forward: 1}}
"""
OVER_NET = (
    '{kind: veth, peer: "net:one", addresses: [192.0.2.2/30]}',
    '{kind: veth, peer: "net:two", addresses: [198.51.100.2/30]}',
)


def sites(one: str = "{kind: dummy}", two: str = "{kind: dummy}", more: str = "", route: str = "") -> str:
    spaces = SITE.format(n=1, wan=one, route=route) + SITE.format(n=2, wan=two, route="") + more
    return f"name: lab\nnamespaces:\n{indent(spaces, '  ')}"


def mistakes(text: str) -> list[str]:
    with pytest.raises(FileMistakes) as caught:
        loads(text, "lab.yaml")
    return [mistake.what for mistake in caught.value.mistakes]


def test_sites_that_are_not_connected_may_use_the_same_network() -> None:
    assert len(loads(sites(), "lab.yaml").namespaces) == 4


def test_sites_behind_a_network_without_a_route_to_it_may_use_the_same_one() -> None:
    """As homes behind their NAT do."""
    assert len(loads(sites(*OVER_NET, NET.format(routes="")), "lab.yaml").namespaces) == 5


def test_a_cable_between_the_routers_makes_their_addresses_meet() -> None:
    text = sites('{kind: veth, peer: "router2:wan"}', '{kind: veth, peer: "router1:wan"}')
    cable = "the cable of router1:wan and router2:wan joins them"
    assert mistakes(text) == [f"the address 10.0.0.1 is on router1:lan already, and {cable}"]


def test_a_tunnel_between_the_routers_makes_their_addresses_meet() -> None:
    one = OVER_NET[0] + "\n    tun0: {kind: tun}"
    two = OVER_NET[1] + "\n    tun0: {kind: tun}"
    text = sites(one, two, NET.format(routes=""), ", {to: 198.51.100.0/30, via: 192.0.2.1}").replace(
        "{to: default, dev: wan}", "{to: default, via: 192.0.2.1}", 1
    )
    text = text.replace("{to: default, dev: wan}", "{to: default, via: 198.51.100.1}")
    assert loads(text, "lab.yaml")
    text += "ttun:\n" + "".join(
        f'  - {{device: "router{n}:tun0", bind: "{bind}:9", peer: "{peer}:9"}}\n'
        for n, bind, peer in ((1, "192.0.2.2", "198.51.100.2"), (2, "198.51.100.2", "192.0.2.2"))
    )
    assert mistakes(text) == [
        "the address 10.0.0.1 is on router1:lan already, and the tunnel of router1:tun0 and router2:tun0 joins them"
    ]


@pytest.mark.parametrize(
    "routes",
    [
        "{to: 10.0.0.0/24, via: 192.0.2.2}, {to: 10.0.0.0/24, via: 198.51.100.2, metric: 9}",
        "{to: 10.0.0.0/8, via: 192.0.2.2}, {to: 10.0.0.5/32, via: 198.51.100.2}, {to: 10.0.0.1/32, via: 198.51.100.2}",
    ],
)
def test_a_network_with_routes_to_both_makes_them_meet(routes: str) -> None:
    found = mistakes(sites(*OVER_NET, NET.format(routes=routes)))
    assert found == [
        "the address 10.0.0.5 is on host1:eth0 already, and 'net' has routes to both",
        "the address 10.0.0.1 is on router1:lan already, and 'net' has routes to both",
    ]


def test_a_route_to_one_of_two_sites_is_no_meeting() -> None:
    assert loads(sites(*OVER_NET, NET.format(routes="{to: 10.0.0.0/24, via: 192.0.2.2}")), "lab.yaml")
