"""The MTU of a tunnel, worked out by hand for every underlay."""

from __future__ import annotations

import pytest

from labctl.plan.desired import desired
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.load import loads

LAB = """\
name: lab
namespaces:
  a:
    interfaces:
      lo: {{kind: lo, addresses: [10.9.9.1/32]}}
      eth0: {{kind: veth, peer: "b:eth0", addresses: [192.0.2.1/24, "2001:db8::1/64"]{mtu}}}
      tun0: {{kind: tun, addresses: [{inner}]}}
  b:
    interfaces:
      eth0: {{kind: veth, peer: "a:eth0", addresses: [192.0.2.2/24, "2001:db8::2/64"]{mtu}}}
      tun0: {{kind: tun}}
ttun: [{{device: "a:tun0", bind: "{bind}", peer: "{peer}"}}]
"""
FOUR, SIX = ("192.0.2.1:9", "192.0.2.2:9"), ("[2001:db8::1]:9", "[2001:db8::2]:9")


def derived(text: str) -> dict[InterfaceRef, int]:
    return desired(loads(text, "lab.yaml")).mtus.derived


def mtu(ends: tuple[str, str], underlay: int | None = None, inner: str = "") -> int | None:
    text = LAB.format(mtu="" if underlay is None else f", mtu: {underlay}", inner=inner, bind=ends[0], peer=ends[1])
    return derived(text).get(InterfaceRef("a", "tun0"))


@pytest.mark.parametrize(
    ("ends", "underlay", "expected"),
    [
        (FOUR, None, 1472),
        (SIX, None, 1452),
        (FOUR, 9000, 8972),
        (SIX, 9000, 8952),
        (FOUR, 1400, 1372),
        (SIX, 1400, 1352),
    ],
)
def test_the_headers_are_taken_off_what_the_underlay_carries(
    ends: tuple[str, str], underlay: int | None, expected: int
) -> None:
    assert mtu(ends, underlay) == expected


def test_ipv6_in_the_tunnel_keeps_the_least_that_it_needs() -> None:
    assert mtu(FOUR, 1300, '"fd00::1/64"') == 1280


def test_a_device_without_an_engine_keeps_the_default_of_the_kernel() -> None:
    text = LAB.format(mtu="", inner="", bind=FOUR[0], peer=FOUR[1])
    assert InterfaceRef("b", "tun0") not in derived(text)


def test_a_peer_on_the_same_host_has_no_underlay_to_heed() -> None:
    assert mtu(("192.0.2.1:9", "10.9.9.1:9")) is None


# Every kind of way that a file can describe. The tunnel is from `a` to `z`; what is between them is in {middle}.
WAY = """\
name: lab
namespaces:
  a:
    interfaces:
      eth0: {{kind: veth, peer: "{peer_of_a}", addresses: [192.0.2.1/24]}}
      tun0: {{kind: tun}}
      tun1: {{kind: tun, addresses: [10.0.1.1/24, "fd00:1::1/64"]}}
      tun2: {{kind: tun}}
    routes:
      - {{to: 198.51.100.0/24, via: {next_hop}}}
      - {{to: 10.0.2.0/24, dev: tun0}}
      - {{to: "fd00:2::/64", dev: tun1}}
{middle}
  z:
    interfaces:
      lo: {{kind: lo, addresses: [198.51.100.9/32]}}
      eth0: {{kind: veth, peer: "{peer_of_z}", addresses: [192.0.2.2/24, 203.0.113.2/24]}}
      tun0: {{kind: tun}}
      tun1: {{kind: tun, addresses: [10.0.2.1/24, "fd00:2::1/64"]}}
ttun:
  - {{device: "a:tun0", bind: "192.0.2.1:1", peer: "198.51.100.9:1"}}
  - {{device: "a:tun1", bind: "10.0.1.1:1", peer: "10.0.2.1:1"}}
  - {{device: "a:tun2", bind: "[fd00:1::1]:2", peer: "[fd00:2::1]:2"}}
  - {{device: "z:tun0", bind: "0.0.0.0:1", peer: "192.0.2.1:1"}}
"""
SWITCH = """\
  sw:
    interfaces:
      br0: {{kind: bridge, ports: [p1, p2, p3]{bridge}}}
      p1: {{kind: veth, peer: "a:eth0"}}
      p2: {{kind: veth, peer: "{peer}"{port}}}
      p3: {{kind: veth, peer: "other:eth0", mtu: 600}}
  other: {{interfaces: {{eth0: {{kind: veth, peer: "sw:p3"}}}}}}
"""
SECOND_SWITCH = """\
  sw2:
    interfaces:
      br0: {kind: bridge, ports: [p1, p2]}
      p1: {kind: veth, peer: "sw:p2", mtu: 1410}
      p2: {kind: veth, peer: "z:eth0"}
"""
ROUTER = """\
  r:
    interfaces:
      eth0: {kind: veth, peer: "a:eth0", addresses: [192.0.2.3/24]}
      eth1: {kind: veth, peer: "r2:eth0", addresses: [203.0.113.5/30], mtu: 1400}
    routes: [{to: 198.51.100.0/24, via: 203.0.113.6}]
    sysctls: {net.ipv4.ip_forward: FORWARD}
  r2:
    interfaces:
      eth0: {kind: veth, peer: "r:eth1", addresses: [203.0.113.6/30]}
      eth1: {kind: veth, peer: "z:eth0", addresses: [203.0.113.1/24]}
    routes: [{to: 198.51.100.0/24, via: 203.0.113.2}]
    sysctls: {net.ipv4.conf.all.forwarding: 1}
"""


def mtus(middle: str = "", peer_of_a: str = "z:eth0", peer_of_z: str = "a:eth0", hop: str = "192.0.2.2") -> list[int]:
    """The MTUs of a's tunnels: of the outer, the one within it, and the one within that."""
    text = WAY.format(middle=middle, peer_of_a=peer_of_a, peer_of_z=peer_of_z, next_hop=hop)
    found = derived(text)
    return [found[InterfaceRef("a", name)] for name in ("tun0", "tun1", "tun2")]


def switch(bridge: str = "", peer: str = "z:eth0", port: str = "") -> str:
    return SWITCH.format(bridge=bridge, peer=peer, port=port)


def test_a_tunnel_in_a_tunnel_has_the_headers_of_both() -> None:
    assert mtus() == [1472, 1444, 1396]


def test_over_a_bridge_the_ports_on_the_way_count() -> None:
    assert mtus(switch(), "sw:p1", "sw:p2")[0] == 1472
    assert mtus(switch(port=", mtu: 1400"), "sw:p1", "sw:p2")[0] == 1372
    assert mtus(switch(bridge=", mtu: 700"), "sw:p1", "sw:p2")[0] == 1472, "it only passes frames on"


def test_over_two_bridges_the_cable_between_them_counts() -> None:
    middle = switch(peer="sw2:p1") + SECOND_SWITCH
    assert mtus(middle, "sw:p1", "sw2:p2") == [1382, 1354, 1306]


def test_from_a_bridge_its_smallest_port_counts() -> None:
    text = """
        name: lab
        namespaces:
          a:
            interfaces:
              br0: {kind: bridge, ports: [p1, p2], addresses: [10.0.0.1/24]}
              p1: {kind: veth, peer: "b:eth0"}
              p2: {kind: veth, peer: "c:eth0", mtu: 1400}
              tun0: {kind: tun}
          b: {interfaces: {eth0: {kind: veth, peer: "a:p1", addresses: [10.0.0.2/24]}, tun0: {kind: tun}}}
          c: {interfaces: {eth0: {kind: veth, peer: "a:p2"}}}
        ttun:
          - {device: "a:tun0", bind: "10.0.0.1:1", peer: "10.0.0.2:1"}
          - {device: "b:tun0", bind: "10.0.0.2:1", peer: "10.0.0.1:1"}
    """
    found = derived(text)
    assert found[InterfaceRef("a", "tun0")] == 1372
    assert found[InterfaceRef("b", "tun0")] == 1472, "its own way out is wider than the way back"


def test_the_narrower_cable_in_the_middle_counts() -> None:
    assert mtus(ROUTER.replace("FORWARD", "1"), "r:eth0", "r2:eth1", "192.0.2.3") == [1372, 1344, 1296]


def test_a_namespace_that_does_not_forward_hides_what_is_behind_it() -> None:
    assert mtus(ROUTER.replace("FORWARD", "0"), "r:eth0", "r2:eth1", "192.0.2.3")[0] == 1472


def test_of_several_next_hops_the_narrowest_counts() -> None:
    text = """
        name: lab
        namespaces:
          a:
            interfaces:
              one: {kind: veth, peer: "b:one", addresses: [192.0.2.1/30]}
              two: {kind: veth, peer: "b:two", addresses: [192.0.2.5/30], mtu: 1400}
              t: {kind: tun}
            routes: [{to: 10.0.0.9/32, nexthops: [{via: 192.0.2.2}, {via: 192.0.2.6}]}]
          b:
            interfaces:
              lo: {kind: lo, addresses: [10.0.0.9/32]}
              one: {kind: veth, peer: "a:one", addresses: [192.0.2.2/30]}
              two: {kind: veth, peer: "a:two", addresses: [192.0.2.6/30]}
        ttun: [{device: "a:t", bind: "192.0.2.1:1", peer: "10.0.0.9:1"}]
    """
    assert derived(text) == {InterfaceRef("a", "t"): 1372}
    of_a_route = text.replace("{via: 192.0.2.6}]}", "{via: 192.0.2.6}], mtu: 1000}")
    assert derived(of_a_route) == {InterfaceRef("a", "t"): 972}


def test_behind_a_tunnel_the_way_goes_on() -> None:
    """Out of the outer tunnel the datagrams of the inner one come to z, and leave it by a narrower cable."""
    text = """
        name: lab
        namespaces:
          a:
            interfaces:
              eth0: {kind: veth, peer: "z:eth0", addresses: [192.0.2.1/30]}
              outer: {kind: tun}
              inner: {kind: tun}
            routes: [{to: 198.51.100.0/24, dev: outer}]
          z:
            interfaces:
              eth0: {kind: veth, peer: "a:eth0", addresses: [192.0.2.2/30]}
              eth1: {kind: veth, peer: "y:eth0", addresses: [198.51.100.1/24], mtu: 900}
              outer: {kind: tun, mtu: 1200}
            sysctls: {net.ipv4.conf.outer.forwarding: 1}
          y: {interfaces: {eth0: {kind: veth, peer: "z:eth1", addresses: [198.51.100.2/24]}}}
        ttun:
          - {device: "a:inner", bind: "192.0.2.1:2", peer: "198.51.100.2:2"}
          - {device: "a:outer", bind: "192.0.2.1:1", peer: "192.0.2.2:1"}
          - {device: "z:outer", bind: "192.0.2.2:1", peer: "192.0.2.1:1"}
    """
    found = derived(text)
    assert found == {InterfaceRef("a", "outer"): 1472, InterfaceRef("a", "inner"): 872}


def test_a_tunnel_in_a_thousand_tunnels_is_found_without_a_thousand_calls() -> None:
    depth = 1500
    devices = ", ".join(f"t{i}: {{kind: tun, mtu: 9000}}" for i in range(depth))
    routes = ", ".join(f"{{to: 10.1.{i // 250}.{i % 250}/32, dev: t{i + 1}}}" for i in range(depth - 1))
    ends = ", ".join(
        f'{{device: "a:t{i}", bind: "10.0.0.1:{i + 1}", peer: "10.1.{i // 250}.{i % 250}:1"}}' for i in range(depth)
    )
    text = f"""
        name: lab
        namespaces:
          a:
            interfaces: {{d: {{kind: dummy, addresses: [10.0.0.1/8]}}, last: {{kind: tun}}, {devices}}}
            routes: [{{to: 10.2.0.0/16, dev: t0}}, {routes}]
        ttun: [{{device: "a:last", bind: "10.0.0.1:9000", peer: "10.2.0.1:1"}}, {ends}]
    """
    assert derived(text)[InterfaceRef("a", "last")] == 8972
