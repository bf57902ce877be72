"""Labs that ship with labctl, with their namespaces spread over hosts: the same file passes all its checks."""

from __future__ import annotations

import json
from itertools import cycle

import pytest

from labctl.topology.load import load
from labctl.topology.shipped import find
from tests.hosts.conftest import Wire


@pytest.mark.parametrize("name", ["switched-lan", "dual-stack"])
def test_a_lab_over_hosts_passes_its_checks(wire: Wire, name: str) -> None:
    near, hosts = wire.near, wire.hosts
    spread: dict[str, list[str]] = {host.name: [] for host in hosts}
    for space, names in zip(load(find(name)).namespaces, cycle(spread.values())):
        names.append(space)
    inventory = {"hosts": {host.name: {"address": host.address, "namespaces": spread[host.name]} for host in hosts}}
    words = (name, "-i", near.file("servers.yaml", json.dumps(inventory)))
    near.labctl("up", *words)
    verified = near.json("verify")
    assert [check["passed"] for check in verified["checks"]] == [True] * len(load(find(name)).checks)
    assert near.json("plan", *words)["changes"] == []
    near.labctl("down")
