"""two-site over two hosts: the very file, with its hosts in an inventory. What passes on one machine passes here."""

from __future__ import annotations

from tests.hosts.conftest import Wire

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
    near.labctl("down")
