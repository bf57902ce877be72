"""`impair:` of a cable between hosts: the netem of the host of that end, and what helps where there is none."""

from __future__ import annotations

import pytest

from tests.hosts.conftest import Wire

FILE = """
name: delayed
hosts:
  srv1:
  srv2: {ports: 47000-47009}
namespaces:
  a:
    host: srv1
    interfaces:
      v: {kind: veth, peer: "b:v", addresses: [10.2.0.1/24], impair: {delay: 60ms}}
  b:
    host: srv2
    interfaces:
      v: {kind: veth, peer: "a:v", addresses: [10.2.0.2/24]}
checks:
  - {name: late, ping: {from: a, to: 10.2.0.2, count: 5, rtt: {at_least: 60ms}}, crosses: ["a:v", "b:v"]}
"""


@pytest.mark.parametrize("mode", ["rootless", "root"])
def test_a_cable_is_impaired_by_the_kernel_of_its_host(wire: Wire, mode: str) -> None:
    near = wire.near
    if mode == "root":
        near.log_in_as_root()
    file = near.file("delayed.yaml", FILE)
    made = near.labctl("up", file, code=None)
    if made.returncode:
        assert made.returncode == 3 and "on srv1: " in made.stderr and "modprobe sch_netem" in made.stderr
        assert near.json("list") == []
        pytest.skip("this kernel has no netem")
    assert near.json("verify", "late")["passed"]
    assert near.json("status")["namespaces"]["a"]["interfaces"]["v"]["netem"] == "delay 60ms"
    near.file("delayed.yaml", FILE.replace("60ms}}", "1ms}}"))
    assert "~ a:v netem delay 1ms" in near.labctl("plan", file, code=1).stdout
    near.labctl("up", file)
    late = near.json("verify", "late", code=1)["checks"][0]
    assert late["outcome"] == "differs" and late["asked"]
    near.labctl("impair", "a:v", "--delay", "80ms")
    assert near.json("verify", "late")["passed"]
    assert near.json("status")["namespaces"]["a"]["interfaces"]["v"]["netem"] == "delay 80ms"
    near.labctl("down")
