"""Addresses that come, go and are one of several: an endpoint answers from where it was addressed, and lives on."""

from __future__ import annotations

import hashlib
import random
import socket
from contextlib import closing
from pathlib import Path

import pytest

from labctl.engine.counters import Counters

from .conftest import EVERY, Sites, connection, transfer
from .samples import PING
from .test_forward import Rig
from .world import Namespace, balance, settled, status, wait_for

pytestmark = pytest.mark.root

# What both sites are bound to or have: the wildcard, A's address, another one of A's, and B's.
ENDS = {4: ("0.0.0.0", "192.0.2.1", "198.51.100.1", "192.0.2.2"), 6: ("::", "fd00:1::1", "fd00:9::1", "fd00:1::2")}


@pytest.fixture(params=[4, 6])
def ends(request: pytest.FixtureRequest, sites: Sites) -> tuple[str, str, str, str]:
    """The addresses of one IP version, all there."""
    wildcard, first, other, far = ENDS[request.param]
    for site, end in ((sites.a, 1), (sites.b, 2)):
        site.shell("for name in wan0 lo; do echo 0 > /proc/sys/net/ipv6/conf/$name/disable_ipv6; done")
        site.ip(f"addr add fd00:1::{end}/64 dev wan0 nodad", f"link set tun{end - 1} mtu 1400")
    sites.a.ip(f"addr add {other} dev lo")
    sites.b.ip(f"route add {other} via {first}")
    return wildcard, first, other, far


@pytest.mark.parametrize("options", [(), ("--no-offload",)])
def test_the_peer_is_answered_from_the_address_that_it_chose(
    sites: Sites, ends: tuple[str, str, str, str], tmp_path: Path, core: str, options: tuple[str, ...]
) -> None:
    wildcard, first, other, far = ends
    sites.a.ttun("tun0", wildcard, 9000, far, 9000, "--counters", tmp_path / "a", *options)
    with Counters.open(tmp_path / "a") as counters:
        engine = sites.b.ttun("tun1", far, 9000, other, 9000)
        assert sites.b.ping("10.0.101.1")
        engine.terminate()
        engine.wait()
        sites.b.ttun("tun1", far, 9000, first, 9000)
        assert sites.b.ping("10.0.101.1")
        assert counters.snapshot()["in_not_from_peer"] == 0
        client, server = connection(sites, ("10.0.101.1", "10.0.102.1"))
        data = random.Random(1).randbytes(8 << 20)
        with client, server:
            assert transfer(server, client, data) == hashlib.sha256(data).hexdigest()
        now = settled(counters, in_not_from_peer=0)
        if not options:
            # The socket that took the place has all offloads.
            assert counters.features == EVERY[core]
            assert now["tun_written_packets"] > now["tun_written_frames"]


def test_a_port_for_the_privileged_keeps_the_one_right_that_it_takes(
    sites: Sites, ends: tuple[str, str, str, str]
) -> None:
    wildcard, _, other, far = ends
    engine = sites.a.ttun("tun0", wildcard, 500, far, 9000)
    assert status(engine.pid)["CapEff"] == status(engine.pid)["CapPrm"] == f"{1 << 10:016x}"
    sites.b.ttun("tun1", far, 9000, other, 500)
    assert sites.b.ping("10.0.101.1")


def test_a_pinned_address_that_is_deleted_is_replaced_before_the_peer_has_said_anything(
    sites: Sites, ends: tuple[str, str, str, str]
) -> None:
    wildcard, first, _, far = ends
    sites.a.ttun("tun0", wildcard, 9000, far, 9000)
    with closing(peer_at(sites.b, far)) as peer:
        sites.a.run("ping", "-n", "-c", "1", "-W", "0.01", "10.0.102.1")
        assert peer.recvfrom(2048)[1][:2] == (first, 9000)
        length, new = ("/64", "fd00:1::8") if ":" in first else ("/30", "192.0.2.1")
        if ":" not in first:
            # The other address of this cable is the peer's: so it gets a longer one.
            sites.a.ip("addr del 192.0.2.1/30 dev wan0", "addr add 192.0.2.9/24 dev wan0")
            sites.b.ip("route add 192.0.2.9 dev wan0")
            new = "192.0.2.9"
        else:
            sites.a.ip(f"addr del {first}{length} dev wan0", f"addr add {new}{length} dev wan0 nodad")

        def left_from() -> bool:
            sites.a.run("ping", "-n", "-c", "1", "-W", "0.01", "10.0.102.1")
            return bool(peer.recvfrom(2048)[1][:2] == (new, 9000))

        wait_for(left_from, f"datagrams from {new}")


def peer_at(site: Namespace, host: str) -> socket.socket:
    made = site.call(lambda: socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM))
    made.settimeout(2)
    made.bind((host, 9000))
    return made


def test_an_address_that_goes_and_comes_back_carries_again(
    sites: Sites, ends: tuple[str, str, str, str], tmp_path: Path
) -> None:
    _, first, _, far = ends
    engine = sites.a.ttun("tun0", first, 9000, far, 9000, "--counters", tmp_path / "a")
    sites.b.ttun("tun1", far, 9000, first, 9000)
    assert sites.a.ping("10.0.102.1")
    with_length = f"{first}/64 dev wan0" if ":" in first else f"{first}/30 dev wan0"
    sites.a.ip(f"addr del {with_length}")
    assert not sites.a.ping("10.0.102.1", 2, "-W", "0.05")
    sites.a.ip(f"addr add {with_length}" + (" nodad" if ":" in first else ""))
    wait_for(lambda: sites.a.ping("10.0.102.1"), "the tunnel to carry again")
    assert engine.poll() is None


def test_what_the_peer_sends_elsewhere_is_the_peers_and_what_waited_before_goes_first() -> None:
    """The rig's twin of a wildcard: a datagram to another address moves the endpoint there, and its loops with it."""
    with closing(Rig(watched=False)) as rig:
        rig.strangers.addressed = "10.0.7.7"
        rig.peer.arrive(PING[:-1] + b"1")
        rig.strangers.arrive(PING[:-1] + b"2")
        rig.forwarder.drop_stranger()
        assert rig.tun.sent == [PING[:-1] + b"1", PING[:-1] + b"2"]
        assert str(rig.peer.source()) == "10.0.7.7:9000"
        assert balance(rig.counters)["in_not_from_peer"] == 0
