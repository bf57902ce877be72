"""Labs that other tools ship, written anew: their checks hold, and fail without what they are to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.world import World
from tests.programs import needed

PEERS = sorted(Path(__file__).with_name("peers").glob("*.yaml"))

WITHOUT = {
    "nat-gateway": {
        "    masquerade: wan0\n": {"h1-reaches-the-server", "h2-over-tcp", "both-from-one-port"},
        'iifname "wan0" tcp dport 8080 dnat to 192.168.1.11:80': {"a-port-leads-inside"},
    },
    "firewall": {
        "          chain forward {\n              type filter hook forward priority filter; policy drop;\n": {
            *("no-other-port", "outside-to-office", "web-to-office")
        },
        'iif "lan0" accept': {"office-to-web", "office-to-outside"},
        "tcp dport @public accept": {"outside-to-web"},
    },
}
"""What is left out of a lab, and the checks that fail then."""

INSTEAD = {
    "          chain forward {\n              type filter hook forward priority filter; policy drop;\n": (
        "          chain forward {\n"
    )
}


@pytest.mark.parametrize("file", PEERS, ids=lambda file: file.stem)
def test_the_checks_of_a_lab_hold(here: World, file: Path) -> None:
    text = file.read_text()
    if "nft:" in text:
        needed("nft")
    copy = here.file(file.name, text)
    assert here.json("validate", copy)["warnings"] == []
    here.labctl("up", copy)
    assert here.json("verify")["passed"]
    assert here.json("status")["drift"] == []
    for left_out, expected in WITHOUT.get(file.stem, {}).items():
        assert text.count(left_out) == 1, left_out
        here.labctl("up", here.file(file.name, text.replace(left_out, INSTEAD.get(left_out, ""))))
        found = here.json("verify", code=None)["checks"]
        assert {check["name"] for check in found if not check["passed"]} == expected, left_out
    here.labctl("down")
