"""Small topologies that more than one test uses."""

from __future__ import annotations

PAIR = """\
name: pair
namespaces:
  left:
    interfaces:
      eth0: {kind: veth, peer: "right:eth0", addresses: [192.0.2.1/30]}
  right:
    interfaces:
      eth0: {kind: veth, peer: "left:eth0", addresses: [192.0.2.2/30]}
checks:
  - name: across
    ping: {from: left, to: 192.0.2.2, timeout: 0.3}
"""

# The tunnel of the README between the ends of a cable. What stands in `{...}` is what a test leaves out or adds.
TUNNEL = """\
name: tunnel
namespaces:
  siteA:
    interfaces:
      wan0: {{kind: veth, peer: "siteB:wan0", addresses: [192.0.2.1/30]}}
      tun0: {{kind: tun, addresses: [10.0.101.1/24]}}
    routes: [{route_a}]
  siteB:
    interfaces:
      wan0: {{kind: veth, peer: "siteA:wan0", addresses: [192.0.2.2/30]}}
      tun1: {{kind: tun, addresses: [10.0.102.1/24]}}
    routes: [{route_b}]
ttun: [{ttun_a}{ttun_b}]
checks:
{checks}
"""
WHOLE = {
    "route_a": "{to: 10.0.102.0/24, dev: tun0}",
    "route_b": "{to: 10.0.101.0/24, dev: tun1}",
    "ttun_a": '{device: "siteA:tun0", bind: "192.0.2.1:9000", peer: "192.0.2.2:9000"},',
    "ttun_b": '{device: "siteB:tun1", bind: "192.0.2.2:9000", peer: "192.0.2.1:9000"}',
    "checks": """\
  - name: across
    ping: {from: siteA, to: 10.0.102.1, timeout: 0.3}
    crosses: ["siteA:tun0", "siteB:tun1"]
""",
}


def tunnel(**changes: str) -> str:
    """The tunnel with some of its parts changed."""
    return TUNNEL.format(**{**WHOLE, **changes})


def many_namespaces(number: int) -> str:
    """A lab that takes a while to make."""
    spaces = "".join(
        f'  n{i}: {{interfaces: {{d0: {{kind: bridge, addresses: ["10.{i // 250}.{i % 250}.1/24"]}}}}}}\n'
        for i in range(number)
    )
    return f"name: many\nnamespaces:\n{spaces}"


def many_engines(number: int) -> str:
    """A lab of one namespace with this many tunnels that lead nowhere."""
    devices = "".join(f"      t{i}: {{kind: tun}}\n" for i in range(number))
    ends = "".join(
        f'  - {{device: "n0:t{i}", bind: "10.0.0.1:{9000 + i}", peer: "10.0.0.2:9000"}}\n' for i in range(number)
    )
    place = "      d0: {kind: bridge, addresses: [10.0.0.1/24]}\n"
    return f"name: many\nnamespaces:\n  n0:\n    interfaces:\n{place}{devices}ttun:\n{ends}"


# Routes and rules of every kind that a file can say, in a router between two cables.
ROUTED = """\
name: routed
namespaces:
  r:
    sysctls: {net.ipv4.ip_forward: 1, net.ipv6.conf.all.forwarding: 1}
    interfaces:
      lo: {kind: lo, addresses: [10.255.0.1/32, "fd00:ff::1/128"]}
      one: {kind: veth, peer: "s:one", addresses: [10.1.0.1/24, "fd00:1::1/64"], mac: "02:00:00:00:00:01"}
      two: {kind: veth, peer: "s:two", addresses: [10.2.0.1/24, "fd00:2::1/64"], mac: "02:00:00:00:00:02"}
    routes:
      - {to: 10.9.0.0/16, via: 10.1.0.2, src: 10.255.0.1, mtu: 1400, advmss: 1300, window: 40000, hoplimit: 9,
         initcwnd: 5, initrwnd: 7}
      - {to: 10.9.9.0/24, type: blackhole}
      - {to: 10.9.8.0/24, type: unreachable, metric: 5}
      - {to: 10.9.7.0/24, type: prohibit}
      - {to: 10.9.6.0/24, via: 203.0.113.9, dev: two, onlink: true}
      - {to: 10.9.5.0/24, via: "fd00:1::2"}
      - {to: 10.9.4.0/24, nexthops: [{via: 10.1.0.2, weight: 3}, {dev: two}, {via: "fd00:2::2"}]}
      - {to: 10.9.3.0/24, via: 10.2.0.2, table: 100}
      - {to: 10.9.2.0/24, type: throw, table: 100}
      - {to: default, via: 10.2.0.2, table: 70000}
      - {to: 10.9.1.0/24, via: 10.1.0.2, table: default}
      - {to: "fd00:9::/32", via: "fd00:1::2", src: "fd00:ff::1", mtu: 1400}
      - {to: "fd00:9:9::/48", type: blackhole}
      - {to: "fd00:9:8::/48", type: unreachable, metric: 5}
      - {to: "fd00:9:7::/48", type: prohibit}
      - {to: "fd00:9:6::/48", via: "fe80::9", dev: two}
      - {to: "fd00:9:4::/48", nexthops: [{via: "fd00:1::2", weight: 3}, {via: "fd00:2::2"}]}
      - {to: "fd00:9:3::/48", via: "fd00:2::2", table: 100}
      - {to: "fd00:9:2::/48", type: throw, table: 100}
    rules:
      - {priority: 100, to: 10.9.0.0/16, table: 100}
      - {priority: 101, from: 10.2.0.0/24, table: 70000}
      - {priority: 102, not: true, to: 10.0.0.0/8, type: blackhole}
      - {priority: 103, iif: one, to: 10.9.55.0/24, type: prohibit}
      - {priority: 104, iif: lo, to: 10.9.44.0/24, type: unreachable}
      - {priority: 105, oif: two, to: 10.9.33.0/24, type: prohibit}
      - {priority: 106, to: 10.9.22.0/24, suppress_prefixlength: 16}
      - {priority: 107, fwmark: 0x1/0x3, ipproto: udp, sport: 53, dport: 8000-8999, table: 100}
      - {priority: 108, fwmark: 7, to: 10.9.11.0/24, type: prohibit}
      - {priority: 100, to: "fd00:9::/32", table: 100}
      - {priority: 101, from: "fd00:2::/64", type: unreachable}
      - {priority: 40000, family: inet6, table: default}
  s:
    interfaces:
      one: {kind: veth, peer: "r:one", addresses: [10.1.0.2/24, "fd00:1::2/64"], mac: "02:00:00:00:00:11"}
      two: {kind: veth, peer: "r:two", addresses: [10.2.0.2/24, "fd00:2::2/64"], mac: "02:00:00:00:00:12"}
"""
