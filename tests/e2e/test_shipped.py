"""The topologies that ship, as other lab tools have them in their documentation: each proves itself, in both modes."""

from __future__ import annotations

import pytest

from tests.e2e.world import REPO, World
from tests.programs import needed

PROGRAMS = {
    "bgp": ["/usr/lib/frr/bgpd"],
    "firewall": ["nft"],
    "ospf": ["/usr/lib/frr/ospfd"],
    "web-dns": ["dnsmasq"],
}
"""What some of them need of the machine."""

OWN = ("single-host", "two-site")
"""Those of the ttun README, which have tests of their own."""

NAMES = sorted(file.stem for file in (REPO / "topologies").glob("*.yaml") if file.stem not in OWN)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_lab_proves_itself(here: World, name: str) -> None:
    for program in PROGRAMS.get(name, ()):
        needed(program)
    here.labctl("up", name)
    found = here.json("verify")
    assert [check["name"] for check in found["checks"] if not check["passed"]] == []
    assert found["checks"]
    here.labctl("plan", name)  # its exit code says that there is nothing to do
    here.labctl("down")
