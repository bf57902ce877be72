"""Fixtures: one namespace, or two sites with a wire between them."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import pytest

from labctl.engine.carrier import notice_carrier
from labctl.engine.core import library
from labctl.engine.counters import Counters
from labctl.engine.features import Feature

from .world import Namespace

A = ("tun0", "192.0.2.1", 9000, "192.0.2.2", 9000)
B = ("tun1", "192.0.2.2", 9000, "192.0.2.1", 9000)
EVERY = {"c": ~Feature(0), "python": ~Feature.C_CORE}
INSIDE = {4: ("10.0.101.1", "10.0.102.1"), 6: ("fd00:2::1", "fd00:2::2")}


class Sites(NamedTuple):
    """The two sites of `world`, with TUN devices that nobody is attached to yet."""

    a: Namespace
    b: Namespace


@pytest.fixture(scope="session")
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


@pytest.fixture(params=["c", "python"])
def core(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The core of the engines that a test starts: each such test runs with both."""
    wanted: str = request.param
    monkeypatch.setenv(library.VARIABLE, wanted)
    if library.chosen()[0] != wanted and "CI" not in os.environ:
        pytest.skip("labctl was installed without a compiler")
    assert library.chosen()[0] == wanted, "CI must offer a compiler"
    return wanted


@pytest.fixture
def sites(make_namespace: Callable[..., Namespace], core: str) -> Sites:
    """Two sites, wired, routed and without an engine, which will have either core."""
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
    for site in (a, b):
        site.call(lambda: notice_carrier("wan0"))
    return Sites(a, b)


@pytest.fixture
def counters(sites: Sites, tmp_path: Path) -> Iterator[Callable[..., tuple[Counters, Counters]]]:
    """Start both engines with these options and give their counters."""
    with ExitStack() as opened:

        def start(a: tuple[str, ...] = (), b: tuple[str, ...] = ()) -> tuple[Counters, Counters]:
            for site, end in ((sites.a, 1), (sites.b, 2)):
                tun = f"tun{end - 1}"
                site.shell(f"echo 0 > /proc/sys/net/ipv6/conf/{tun}/router_solicitations")
                site.shell(f"ip link set {tun} mtu 1400; echo 0 > /proc/sys/net/ipv6/conf/{tun}/disable_ipv6")
                site.ip(f"addr add fd00:2::{end}/64 dev {tun} nodad")
            sites.a.ttun(*A, "--counters", tmp_path / "a", *a)
            sites.b.ttun(*B, "--counters", tmp_path / "b", *b)
            both = [opened.enter_context(Counters.open(tmp_path / name)) for name in "ab"]
            return both[0], both[1]

        yield start


def connection(sites: Sites, hosts: tuple[str, str]) -> tuple[socket.socket, socket.socket]:
    """A TCP connection from site A to site B, by their addresses."""
    family = socket.AF_INET6 if ":" in hosts[1] else socket.AF_INET
    listener = sites.b.call(lambda: socket.socket(family))
    listener.bind((hosts[1], 0))
    listener.listen()
    client = sites.a.call(lambda: socket.socket(family))
    for each in (client, listener):
        each.settimeout(20)
    client.connect((hosts[1], listener.getsockname()[1]))
    server, _ = listener.accept()
    server.settimeout(20)
    listener.close()
    return client, server


def transfer(sender: socket.socket, receiver: socket.socket, data: bytes) -> str:
    """Send and receive at once; returns the digest of what came."""

    def send() -> None:
        sender.sendall(data)
        sender.shutdown(socket.SHUT_WR)

    threading.Thread(target=send, daemon=True).start()
    digest = hashlib.sha256()
    while piece := receiver.recv(1 << 16):
        digest.update(piece)
    return digest.hexdigest()
