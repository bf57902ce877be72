"""A flow between two hosts is measured where it arrives, and judged with what kept its sender from its work."""

from __future__ import annotations

from tests.hosts.conftest import Wire

FLOWS = """name: flows
hosts:
  srv1: {ports: 47000-47009}
  srv2: {ports: 47000-47009}
namespaces:
  left: {host: srv1, interfaces: {eth0: {kind: veth, peer: "right:eth0", addresses: [10.0.0.1/24]}}}
  right: {host: srv2, interfaces: {eth0: {kind: veth, peer: "left:eth0", addresses: [10.0.0.2/24]}}}
checks:
  - {name: tcp, throughput: {from: left, to: right, address: 10.0.0.2, port: 5201, seconds: 0.5, at_least: 100kbit},
     crosses: ["left:eth0", "right:eth0"]}
  - {name: udp, throughput: {from: right, to: left, address: 10.0.0.1, port: 5201, seconds: 0.5, protocol: udp,
     at_least: 100kbit}, crosses: ["right:eth0", "left:eth0"]}
  - {name: slow, throughput: {from: left, to: right, address: 10.0.0.2, port: 5201, seconds: 0.5, at_most: 100kbit}}
  - {name: elsewhere, throughput: {from: left, to: right, address: 10.0.0.2, port: 5201, seconds: 0.5, at_least: 1mbit}}
"""


def test_flows_between_hosts(wire: Wire) -> None:
    near = wire.near
    near.labctl("up", near.file("flows.yaml", FLOWS))
    found = {each["name"]: each for each in near.json("verify", "tcp", "udp", "slow", code=1)["checks"]}
    assert {name: each["passed"] for name, each in found.items()} == {"tcp": True, "udp": True, "slow": False}, found
    assert "bit/s" in found["slow"]["observed"] and found["slow"]["asked"]
    unasked = near.json("verify", "--system-tools", "tcp", code=5)
    assert [cause["reason"] for cause in unasked["diagnosis"]] == ["not-started"], "no other packets are looked at"
    near.labctl("exec", "right", "--", "ip", "link", "set", "eth0", "down")
    (silent,) = near.json("verify", "elsewhere", code=1)["checks"]
    assert not silent["passed"]
    near.labctl("down")
