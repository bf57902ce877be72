"""A lab over two hosts, from `up` to `down`: what is there on each, and that nothing is left."""

from __future__ import annotations

import pytest

from tests.hosts.conftest import Wire
from tests.hosts.machines import dropping
from tests.hosts.test_two_site import INVENTORY

APART = """
name: apart
hosts:
  srv1:
  srv2:
namespaces:
  a:
    host: srv1
    interfaces:
      v: {kind: veth, peer: "b:v", addresses: [10.2.0.1/24]}
  b:
    host: srv1
    interfaces:
      v: {kind: veth, peer: "a:v", addresses: [10.2.0.2/24]}
  c:
    host: srv2
    interfaces:
      t: {kind: tap, addresses: [10.3.0.1/24]}
    programs:
      - {name: talker, command: "sh -c 'echo hello; exec sleep 1000'"}
checks:
  - {name: a-b, ping: {from: a, to: 10.2.0.2}, crosses: ["a:v", "b:v"]}
"""


@pytest.mark.parametrize("root", [False, True], ids=["rootless", "root"])
def test_a_lab_over_two_hosts_from_up_to_down(wire: Wire, root: bool) -> None:
    near, (srv1, srv2) = wire.near, wire.hosts
    if root:
        near.log_in_as_root()
    file = near.file("apart.yaml", APART)
    made = near.labctl("up", file).stdout
    assert "apart is up" in made
    mode = "root" if root else "rootless"
    assert [(row["lab"], row["mode"], row["namespaces"]) for row in srv1.json("list", root=root)] == [
        ("apart", mode, 2)
    ]
    assert [(row["lab"], row["mode"], row["namespaces"]) for row in srv2.json("list", root=root)] == [
        ("apart", mode, 1)
    ]
    assert near.json("list")[0]["hosts"] == ["srv1", "srv2"]
    status = near.json("status")
    assert list(status["namespaces"]) == ["a", "b", "c"]
    assert status["drift"] == []
    assert status["mode"] == mode
    assert [(each["host"], each["reached"]) for each in status["hosts"]] == [("srv1", True), ("srv2", True)]
    assert "nothing to do: apart is as its file says" in near.labctl("up", file).stdout
    assert "apart is down: namespace a, namespace b, program c:talker, namespace c" in near.labctl("down").stdout
    assert near.json("list") == srv1.json("list", root=root) == srv2.json("list", root=root) == []
    assert "nothing to do" in near.labctl("down", "apart").stdout


def test_a_lab_is_mended_or_put_back_as_one(wire: Wire) -> None:
    """What is gone on a host is told and made again; where one host fails, no other keeps what it has changed."""
    near, (srv1, srv2) = wire.near, wire.hosts
    fails = APART.replace("c:\n    host: srv2", "c:\n    host: srv2\n    exec: ['exit 3']")
    file = near.file("apart.yaml", APART)
    told = near.labctl("up", near.file("fails.yaml", fails), code=2).stderr
    assert "on srv2: " in told
    assert near.json("list") == srv1.json("list") == srv2.json("list") == []

    near.labctl("up", file)
    srv2.labctl("down")
    srv1.labctl("exec", "a", "--", "ip", "link", "set", "v", "down")
    status = near.json("status")
    assert status["namespaces"]["c"] is None
    assert {"c", "a:v"} <= {change["subject"] for change in status["drift"]}
    near.labctl("up", file)

    near.labctl("up", near.file("fails.yaml", fails.replace("10.2.0.1/24", "10.2.0.7/24")), code=2)
    status = near.json("status")
    assert status["namespaces"]["a"]["interfaces"]["v"]["addresses"] == ["10.2.0.1/24"]
    assert status["drift"] == []
    near.labctl("down")


def test_a_lab_of_that_name_that_is_another_is_left_alone(wire: Wire) -> None:
    near, (srv1, _) = wire.near, wire.hosts
    srv1.labctl("up", srv1.file("own.yaml", "name: apart\nnamespaces: {own: {}}\n"))
    told = near.labctl("up", near.file("apart.yaml", APART), code=2).stderr
    assert "on srv1 a lab named apart runs already" in told
    assert list(srv1.json("status")["namespaces"]) == ["own"]
    assert near.json("list") == []
    srv1.labctl("down")


def test_commands_about_one_namespace_are_done_where_it_is(wire: Wire) -> None:
    near = wire.near
    near.labctl("up", near.file("apart.yaml", APART))
    assert "10.3.0.1/24" in near.labctl("exec", "c", "--", "ip", "addr", "show", "dev", "t").stdout
    assert near.labctl("exec", "apart", "c", "--", "sh", "-c", 'exit "$1"', "-", "7", code=7).stdout == ""
    assert near.labctl("exec", "c", "--", "echo", "a 'quoted'  $word").stdout == "a 'quoted'  $word\n"
    near.labctl("exec", "c", "--", "sh", "-c", "exit 255", code=255)
    assert wire.srv2.run("ls", ".local/state/labctl").stdout == "", "its note is gone"
    told = near.labctl("exec", "d", "--", "true", code=2).stderr
    assert "lab apart has no namespace named 'd'" in told
    assert "a, b, c" in told
    verified = near.json("verify")
    assert [(check["name"], check["passed"]) for check in verified["checks"]] == [("a-b", True)]
    assert {each["place"] for each in verified["checks"][0]["evidence"]} == {"a:v", "b:v"}
    assert [line.split()[0] for line in near.labctl("logs").stdout.splitlines()] == ["srv2"]
    near.labctl("down")


def test_a_cable_is_as_wide_as_its_way_to_the_byte(wire: Wire) -> None:
    """Two hosts whose own links take more than the way between them, which ICMP does not tell of."""
    near, srv2 = wire.near, wire.srv2
    with dropping(srv2, "meta l4proto udp ip length > 1387"):
        made = near.labctl("up", "two-site", "-i", near.file("inventory.yaml", INVENTORY)).stdout
        assert "MTU 1321, what the way between the hosts carries in one datagram" in made
        (cable,) = (each for each in near.json("status")["cables"] if each["device"] == "siteA:wan0")
        assert (cable["path_mtu"], cable["carried"]) == (1387, 1321)
        assert near.json("verify")["passed"]
        near.labctl("down")
