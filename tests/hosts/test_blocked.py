"""What is between hosts that do not reach one another: named with its direction and port, and nothing is made."""

from __future__ import annotations

import pytest

from tests.hosts.conftest import Wire
from tests.hosts.machines import dropping
from tests.hosts.test_two_site import INVENTORY


@pytest.mark.parametrize(("here", "there"), [("srv1", "srv2"), ("srv2", "srv1")])
def test_a_blocked_direction_is_named_before_anything_is_made(wire: Wire, here: str, there: str) -> None:
    near, hosts = wire.near, {machine.name: machine for machine in wire.hosts}
    with dropping(hosts[there], "udp dport 47000-47009"):
        told = near.labctl("up", "two-site", "-i", near.file("servers.yaml", INVENTORY), code=3).stderr
    assert f"what {here} sends to UDP port 47000 of {there} does not arrive" in told
    assert f"what {there} sends" not in told
    assert near.json("list") == wire.srv1.json("list") == wire.srv2.json("list") == []
