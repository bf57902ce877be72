"""two-site over two hosts: the very file, with its hosts in an inventory. What passes on one machine passes here."""

from __future__ import annotations

import subprocess

from tests.hosts.conftest import Wire
from tests.hosts.machines import dropping

INVENTORY = """
hosts:
  srv1: {ports: 47000-47009, namespaces: [siteA]}
  srv2: {ports: 47000-47009, namespaces: [siteB]}
"""


def test_two_site_over_two_hosts_passes_all_its_checks(wire: Wire) -> None:
    near = wire.near
    inventory = near.file("inventory.yaml", INVENTORY)
    made = near.labctl("up", "two-site", "-i", inventory).stdout
    assert "cable siteA:wan0-siteB:wan0: MTU 1434" in made
    verified = near.json("verify")
    assert [check["name"] for check in verified["checks"] if not check["passed"]] == []
    counted = {each["place"] for check in verified["checks"] for each in check["evidence"]}
    assert {"siteA:tun0", "siteB:tun1"} <= counted
    assert verified["drift"] == []
    words = ("verify", "underlay")
    with near.start_labctl(*words, stdout=subprocess.DEVNULL) as one, near.start_labctl(*words) as other:
        one.wait()
        other.wait()
    assert (one.returncode, other.returncode) == (0, 0), "they count one after the other"
    near.labctl("down")


def test_what_lies_between_the_hosts_is_named(wire: Wire) -> None:
    """A port that is blocked while the lab stands, and an engine that was killed."""
    near, srv1, srv2 = wire.near, wire.srv1, wire.srv2
    inventory = near.file("inventory.yaml", INVENTORY)
    near.labctl("up", "two-site", "-i", inventory)
    with dropping(srv2, "udp dport 47000-47009"):
        found = near.json("verify", "underlay", code=1)
    (cause,) = found["diagnosis"]
    assert cause["words"] == "what srv1 sends to UDP port 47000 of srv2 does not arrive"
    assert cause["checks"] == ["underlay"]

    srv1.kill("labctl: cable of siteA:wan0")
    found = near.json("verify", "underlay", code=1)
    assert [cause["words"] for cause in found["diagnosis"]] == ["the engine of the cable has ended on srv1"]
    near.labctl("up", "two-site", "-i", inventory)
    assert near.json("verify", "underlay")["checks"][0]["passed"]
    near.labctl("down")
