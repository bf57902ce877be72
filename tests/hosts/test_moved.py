"""A lab over hosts that becomes another: a namespace moves to another host, and the lab to this machine."""

from __future__ import annotations

import pytest

from tests.hosts.conftest import Wire
from tests.hosts.test_watch import events, until

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


OURS = """
name: one
hosts: {srv1: {}, srv2: {}}
namespaces:
  a:
    host: srv1
    interfaces: {t: {kind: tap, addresses: [10.9.0.1/24]}}
    programs: [{name: teller, command: "sh -c 'echo ours; exec sleep 1000'"}]
  b: {host: srv2, programs: [{name: teller, command: "sh -c 'echo ours; exec sleep 1000'"}]}
checks: [{name: own, ping: {from: a, to: 10.9.0.1, count: 1}}]
"""
THEIRS = """
name: one
namespaces:
  a:
    interfaces: {t: {kind: tap, addresses: [10.9.0.1/24]}}
    programs: [{name: teller, command: "sh -c 'echo theirs; exec sleep 1000'"}]
"""


@pytest.mark.parametrize("root", [False, True], ids=["rootless", "root"])
def test_a_lab_that_was_made_on_a_host_since_is_not_taken_for_ours(wire: Wire, root: bool) -> None:
    """It has a namespace of the same name and passes the check; it is left alone, and nothing is said of it."""
    near, (srv1, _) = wire.near, wire.hosts
    if root:
        near.log_in_as_root()
    over = near.file("over.yaml", OURS)
    near.labctl("up", over)
    assert "all passed" in near.labctl("verify").stdout
    with events(wire, "--verify") as told:
        until(told, event="check", change="passed")
        srv1.labctl("down", "one", root=root)
        srv1.labctl("up", srv1.file("theirs.yaml", THEIRS), root=root)
        assert "another one" in until(told, event="host", change="lost", host="srv1")["why"]
    for words in (
        *(["verify"], ["why", "a", "10.9.0.1"], ["trace", "own"], ["capture", "--duration", "0.1"]),
        *(["exec", "a", "--", "true"], ["trace", "a", "--", "true"], ["logs", "a:teller"], ["restart"]),
        *(["impair", "a:t", "--show"], ["shell", "a"]),
    ):
        said = near.labctl(*words, code=2)
        assert "on srv1: nothing is left there of lab one" in said.stderr, words
        assert "is another one" in said.stderr
        assert "theirs" not in said.stdout
    assert "ours" in near.labctl("logs", code=2).stdout, "of the host that has its part"
    status = near.json("status")
    assert {name: there is not None for name, there in status["namespaces"].items()} == {"a": False, "b": True}
    assert "another lab on srv1: a\n  the lab of this name that runs there" in near.labctl("status").stdout
    assert "on srv1 a lab named one runs already" in near.labctl("up", over, code=2).stderr
    down = near.labctl("down", code=2)
    assert "one is down: program b:teller, namespace b" in down.stdout
    assert "on srv1 the lab named one is another one" in down.stderr
    assert near.json("list") == []
    assert [lab["namespaces"] for lab in srv1.json("list", root=root)] == [1]
    srv1.labctl("down", root=root)
