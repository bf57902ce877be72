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
