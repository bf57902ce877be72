"""A full packet of a tunnel crosses its way in one piece, whatever the way is made of."""

from __future__ import annotations

from tests.e2e.world import World

# The datagrams of tun0 cross a switch, a router and a cable that is narrower than the others; those of tun1 are packets
# of tun0, and those of tun2, which are IPv6, packets of tun1.
LAB = """\
name: ways
namespaces:
  a:
    interfaces:
      eth0: {kind: veth, peer: "sw:p1", addresses: [192.0.2.1/24]}
      tun0: {kind: tun, addresses: [10.0.0.1/24]}
      tun1: {kind: tun, addresses: [10.0.1.1/24, "fd00:1::1/64"]}
      tun2: {kind: tun, addresses: [10.0.2.1/24]}
    routes: [{to: default, via: 192.0.2.254}]
  sw:
    interfaces:
      br0: {kind: bridge, ports: [p1, p2]}
      p1: {kind: veth, peer: "a:eth0"}
      p2: {kind: veth, peer: "r:eth0"}
  r:
    interfaces:
      eth0: {kind: veth, peer: "sw:p2", addresses: [192.0.2.254/24]}
      eth1: {kind: veth, peer: "z:eth0", addresses: [198.51.100.1/24], mtu: 1400}
    sysctls: {net.ipv4.ip_forward: 1}
  z:
    interfaces:
      eth0: {kind: veth, peer: "r:eth1", addresses: [198.51.100.2/24], mtu: 1400}
      tun0: {kind: tun, addresses: [10.0.0.2/24]}
      tun1: {kind: tun, addresses: [10.0.1.2/24, "fd00:1::2/64"]}
      tun2: {kind: tun, addresses: [10.0.2.2/24]}
    routes: [{to: default, via: 198.51.100.1}]
ttun:
  - {device: "a:tun0", bind: "192.0.2.1:1", peer: "198.51.100.2:1"}
  - {device: "z:tun0", bind: "198.51.100.2:1", peer: "192.0.2.1:1"}
  - {device: "a:tun1", bind: "10.0.0.1:1", peer: "10.0.0.2:1"}
  - {device: "z:tun1", bind: "10.0.0.2:1", peer: "10.0.0.1:1"}
  - {device: "a:tun2", bind: "[fd00:1::1]:1", peer: "[fd00:1::2]:1"}
  - {device: "z:tun2", bind: "[fd00:1::2]:1", peer: "[fd00:1::1]:1"}
checks:
  - {name: outer, ping: {from: a, to: 10.0.0.2, size: 1344}, crosses: ["a:tun0", "z:tun0"]}
  - {name: inner, ping: {from: a, to: 10.0.1.2, size: 1316}, crosses: ["a:tun1", "z:tun1"]}
  - {name: inmost, ping: {from: a, to: 10.0.2.2, size: 1268}, crosses: ["a:tun2", "z:tun2"]}
  - {name: larger, ping: {from: a, to: 10.0.2.2, size: 1269}, crosses: ["a:tun2", "z:tun2"]}
"""
FULL = ("outer", "inner", "inmost")


def fragments(here: World, namespace: str) -> int:
    """How many fragments a namespace has made, of either IP version."""
    text = here.labctl("exec", namespace, "--", "cat", "/proc/net/snmp", "/proc/net/snmp6").stdout
    names, values = (line.split() for line in text.splitlines() if line.startswith("Ip:"))
    found = dict(zip(names, values, strict=True)) | dict(
        line.split() for line in text.splitlines() if line.startswith("Ip6")
    )
    return int(found["FragCreates"]) + int(found["Ip6FragCreates"])


def of_tunnels(here: World, what: str) -> list[int]:
    interfaces = here.json("status")["namespaces"]["a"]["interfaces"]
    return [{**interfaces[name], **interfaces[name]["counters"]}[what] for name in ("tun0", "tun1", "tun2")]


def test_a_full_packet_crosses_in_one_piece(as_user: World) -> None:
    as_user.labctl("up", as_user.file("ways.yaml", LAB))
    assert of_tunnels(as_user, "mtu") == [1372, 1344, 1296]
    as_user.labctl("verify", *FULL)
    assert of_tunnels(as_user, "tx_packets") == [9, 6, 3], "each is one packet of every tunnel that carries it"
    assert [fragments(as_user, namespace) for namespace in ("a", "r", "z")] == [0, 0, 0]
    as_user.labctl("verify", "larger")
    assert fragments(as_user, "a") > 0, "one byte more does not fit"
    as_user.labctl("down")
