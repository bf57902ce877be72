"""Programs of the machine that tests compare with. labctl needs none of them; .ci/run installs them all."""

from __future__ import annotations

import os
import shutil

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def needed(*names: str) -> str:
    """The path of a program, by the first of these names that is there. Else the test is skipped; in CI it fails."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None and "CI" in os.environ:
        pytest.fail(f"CI must have {names[0]}")
    if found is None:
        pytest.skip(f"needs {names[0]}")
    return found


SHIPPED_NEED = {
    "bgp": ("/usr/lib/frr/bgpd",),
    "firewall": ("nft",),
    "nat-gateway": ("nft",),
    "ospf": ("/usr/lib/frr/ospfd",),
    "web-dns": ("dnsmasq",),
}
"""The programs of the machine that some of the shipped topologies take."""
