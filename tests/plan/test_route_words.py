"""Routes in words: as ip-route(8) shows them, and as it takes them."""

from __future__ import annotations

import pytest

from labctl.plan.routes import Route


@pytest.mark.parametrize(
    ("route", "shown", "typed"),
    [
        (Route("0.0.0.0/0", via="10.1.0.1"), "default via 10.1.0.1", "0.0.0.0/0 via 10.1.0.1"),
        (
            Route("::/0", dev="tun0", metric=1024),
            "default dev tun0",
            "::/0 dev tun0",
        ),  # `default dev tun0` makes one of IPv4
        (Route("0.0.0.0/0", type="blackhole"), "blackhole default", "blackhole 0.0.0.0/0"),
        (Route("10.0.0.0/8", dev="eth0"), "10.0.0.0/8 dev eth0", "10.0.0.0/8 dev eth0"),
    ],
)
def test_a_default_route_is_shown_by_that_word_and_typed_with_its_version(route: Route, shown: str, typed: str) -> None:
    assert (route.words, " ".join(route.head)) == (shown, typed)
