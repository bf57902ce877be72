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
     at_least: 1mbit}, crosses: ["right:eth0", "left:eth0"]}
  - {name: slow, throughput: {from: left, to: right, address: 10.0.0.2, port: 5201, seconds: 0.5, at_most: 100kbit}}
  - {name: elsewhere, throughput: {from: left, to: right, address: 10.0.0.2, port: 5201, seconds: 0.5, at_least: 1mbit}}
"""


def test_flows_between_hosts(wire: Wire) -> None:
    near = wire.near
    near.labctl("up", near.file("flows.yaml", FLOWS))
    for tools in ([], ["--system-tools"]):
        found = {each["name"]: each for each in near.json("verify", *tools, "tcp", "udp", "slow", code=1)["checks"]}
        passed = {name: each["passed"] for name, each in found.items()}
        assert passed == {"tcp": True, "udp": True, "slow": False}, found
        assert "bit/s" in found["slow"]["observed"] and found["slow"]["asked"] and found["tcp"]["evidence"]
    near.labctl("exec", "right", "--", "ip", "link", "set", "eth0", "down")
    for tools in ([], ["--system-tools"]):
        # Where the address was asked for in vain a moment ago, connect(2) fails as with a route of type unreachable.
        near.labctl("exec", "left", "--", "ip", "neigh", "flush", "dev", "eth0")
        (silent,) = near.json("verify", *tools, "elsewhere", code=1)["checks"]
        assert not silent["passed"] and "no connection" in silent["observed"]
    near.labctl("down")
