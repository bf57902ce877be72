"""Up repairs what has drifted, and that alone, in one lab for each mode.

No other test may be in this module: an ordinary user has one lab of this name, and would see it in the others.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import FAILED, unchanged
from tests.e2e.world import World, eventually

DRIFTS = {
    "an address is gone": "siteA ip addr del 10.0.1.1/24 dev dummy0",
    "an address is there that nobody asked for": "siteA ip addr add 10.9.9.9/24 dev dummy0",
    "an interface is down": "siteB ip link set wan0 down",
    "an MTU was changed": "siteB ip link set wan0 mtu 1400",
    "a route is gone": "siteA ip route del 10.0.102.0/24",
    "a route is there that nobody asked for": "siteA ip route add 10.77.0.0/16 dev tun0",
    "a TUN device is gone": "siteB ip link del tun1",
    "a cable is gone": "siteA ip link del wan0",
    "an interface is there that nobody asked for": "siteA ip link add extra type bridge",
    "a route is there once more with another metric": "siteA ip route add 10.0.102.0/24 dev tun0 metric 77",
    "a route has another metric": ("siteA ip route del 10.0.102.0/24; ip route add 10.0.102.0/24 dev tun0 metric 77"),
    "the route of an address is gone": "siteA ip route del 192.0.2.0/30 dev wan0",
    "an address is another, and the routes are there": (
        "siteA ip addr flush dev tun0; ip addr add 10.0.99.1/24 dev tun0; ip route add 10.0.102.0/24 dev tun0"
    ),
    "an address has another end": (
        "siteA ip addr flush dev wan0; ip addr add 192.0.2.1 peer 192.0.2.2/32 dev wan0;"
        " ip route add 10.0.2.0/24 via 192.0.2.2"
    ),
    "an interface has another name": "siteA ip link set wan0 down; ip link set wan0 name w1",
    "the loopback interface has lost its address": "siteA ip addr del 127.0.0.1/8 dev lo",
    "the MTU of the loopback interface was changed": "siteA ip link set lo mtu 1000",
    "an interface has an address more of its network": "siteA ip addr add 10.0.1.77/24 dev dummy0",
    "a sysctl was changed": "siteA sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'",
}


@pytest.fixture(scope="module", params=["root", "rootless"])
def two_site(request: pytest.FixtureRequest) -> Iterator[World]:
    """A person whose lab runs, as its file says."""
    with unchanged(request, request.param) as here:
        here.labctl("up", "two-site")
        assert here.json("plan", "two-site")["changes"] == []
        yield here
        here.labctl("down")


@pytest.fixture
def repaired(request: pytest.FixtureRequest, two_site: World) -> Iterator[World]:
    """The same for one test, which leaves the lab as it was; where it fails, the next one still finds it so."""
    yield two_site
    if request.node.stash.get(FAILED, False):
        two_site.labctl("down")
        two_site.labctl("up", "two-site")


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS)
def test_up_repairs_exactly_what_has_drifted(repaired: World, drift: str) -> None:
    here = repaired
    space, command = drift.split(" ", 1)
    here.labctl("exec", space, "--", "sh", "-c", command)
    planned = eventually(lambda: here.json("plan", "two-site", code=None)["changes"], "the drift is seen")
    assert here.json("status")["drift"] == planned
    assert "differs from its file" in here.labctl("status").stdout
    assert here.json("up", "two-site")["changes"] == planned
    assert here.json("plan", "two-site")["changes"] == here.json("status")["drift"] == []
    assert here.json("verify", "ping-across-a-to-b", "own-tun-address-a")["passed"]
