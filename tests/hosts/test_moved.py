"""A lab over hosts that becomes another: a namespace moves to another host, and the lab to this machine."""

from __future__ import annotations

from tests.hosts.conftest import Wire

SWITCH = """
name: moves
hosts:
  srv1:
  srv2:
namespaces:
  a:
    host: srv1
    interfaces: {x: {kind: veth, peer: "b:x", addresses: [10.0.0.1/24, fd00::1/64]}}
  b:
    host: srv2
    interfaces:
      x: {kind: veth, peer: "a:x"}
      y: {kind: veth, peer: "c:y"}
      br: {kind: bridge, ports: [x, y], addresses: [10.0.0.2/24]}
  c:
    host: srv1
    interfaces: {y: {kind: veth, peer: "b:y", addresses: [10.0.0.3/24, fd00::3/64]}}
checks:
  - {name: four, ping: {from: a, to: 10.0.0.3}, crosses: ["a:x", "c:y"]}
  - {name: six, ping: {from: a, to: "fd00::3"}, crosses: ["a:x", "c:y"]}
  - {name: bridge, ping: {from: a, to: 10.0.0.2}}
"""


def test_a_namespace_that_has_moved_is_reached_at_once(wire: Wire) -> None:
    """Its interfaces have other MAC addresses, which those on other hosts have not learned yet."""
    near = wire.near
    near.labctl("up", near.file("moves.yaml", SWITCH))
    near.labctl("verify")
    near.labctl("up", near.file("moved.yaml", SWITCH.replace("  c:\n    host: srv1", "  c:\n    host: srv2")))
    assert "all passed" in near.labctl("verify").stdout
    near.labctl("down")


def test_one_name_is_one_lab_over_hosts_or_here(wire: Wire) -> None:
    near = wire.near
    over = near.file("over.yaml", "name: one\nhosts: {srv1: {}}\nnamespaces: {a: {}}\n")
    here = near.file("here.yaml", "name: one\nnamespaces: {a: {}}\n")
    near.labctl("up", over)
    for command in ("plan", "up"):
        assert "lab one is over srv1" in near.labctl(command, here, code=2).stderr
    near.labctl("down")
    near.labctl("up", here)
    for command in ("plan", "up"):
        assert "a lab named one runs on this machine already" in near.labctl(command, over, code=2).stderr
    near.labctl("down")
