"""Fixtures: one namespace, or two sites with a wire between them."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import pytest

from .world import Namespace


class Sites(NamedTuple):
    """The two sites of `world`, with TUN devices that nobody is attached to yet."""

    a: Namespace
    b: Namespace


@pytest.fixture
def root() -> None:
    """The rights that making namespaces and TUN devices takes."""
    lacking = "root" if os.geteuid() else "" if Path("/dev/net/tun").exists() else "/dev/net/tun"
    if lacking and "CI" in os.environ:
        pytest.fail(f"CI must offer {lacking}")
    if lacking:
        pytest.skip(f"needs {lacking}")


@pytest.fixture
def make_namespace(root: None) -> Iterator[Callable[..., Namespace]]:
    """Make namespaces that end with the test."""
    with ExitStack() as made:
        yield lambda *unshare: made.enter_context(closing(Namespace(*unshare)))


@pytest.fixture
def host(make_namespace: Callable[..., Namespace]) -> Namespace:
    """One namespace with nothing in it but `lo`, which is up."""
    return make_namespace()


@pytest.fixture
def sites(make_namespace: Callable[..., Namespace]) -> Sites:
    """Two sites, wired, routed and without an engine."""
    a, b = make_namespace(), make_namespace()
    a.ip(
        f"link add wan0 type veth peer name wan0 netns {b.pid}",
        "addr add 192.0.2.1/30 dev wan0",
        "link set wan0 up",
        "tuntap add dev tun0 mode tun",
        "addr add 10.0.101.1/24 dev tun0",
        "link set tun0 up",
        "route add 10.0.102.0/24 dev tun0",
    )
    b.ip(
        "addr add 192.0.2.2/30 dev wan0",
        "link set wan0 up",
        "tuntap add dev tun1 mode tun",
        "addr add 10.0.102.1/24 dev tun1",
        "link set tun1 up",
        "route add 10.0.101.0/24 dev tun1",
    )
    return Sites(a, b)
