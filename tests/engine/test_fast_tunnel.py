"""Whole tunnels at speed: offload is engaged, every byte arrives, and interfaces agree with counters."""

from __future__ import annotations

import hashlib
import json
import random
import socket
import threading
from collections.abc import Callable

import pytest

from labctl.engine.counters import Counters
from labctl.engine.features import Feature

from .conftest import EVERY, INSIDE, Sites, connection, transfer
from .world import Namespace, settled, wait_for

pytestmark = pytest.mark.root


def frames(site: Namespace, tun: str) -> tuple[int, int]:
    """What `ip -s link` shows: TX and RX packets."""
    (link,) = json.loads(site.shell(f"ip -s -j link show {tun}"))
    return link["stats64"]["tx"]["packets"], link["stats64"]["rx"]["packets"]


def agree(site: Namespace, tun: str, counters: Counters) -> None:
    """The interface counts frames, and so do the counters."""

    def same() -> bool:
        now = counters.snapshot()
        return frames(site, tun) == (now["tun_read_frames"], now["tun_written_frames"])

    wait_for(same, f"{frames(site, tun)} to be what was counted: {counters.snapshot()}")


@pytest.mark.parametrize("version", [4, 6])
def test_every_byte_arrives_both_ways_through_engaged_offloads(
    sites: Sites, counters: Callable[..., tuple[Counters, Counters]], core: str, version: int
) -> None:
    both = counters()
    data = random.Random(version).randbytes(24 << 20)

    def in_superframes() -> bool:
        """Whether many packets to a frame were read and written; few are where the sender has to wait for the CPU."""
        before = [settled(each) for each in both]
        exchange(connection(sites, INSIDE[version]), data)
        counts = [
            {name: n - old[name] for name, n in settled(each).items()} for each, old in zip(both, before, strict=True)
        ]
        return all(
            now["tun_read_packets"] > 4 * now["tun_read_frames"]
            and now["tun_written_packets"] > 2 * now["tun_written_frames"]
            for now in counts
        )

    wait_for(in_superframes, "superframes both ways")
    for each, site, tun in zip(both, sites, ("tun0", "tun1"), strict=True):
        assert each.features == EVERY[core]
        agree(site, tun, each)


def exchange(ends: tuple[socket.socket, socket.socket], data: bytes) -> None:
    """Send data both ways at once over a connection, and look at every byte of it."""
    client, server = ends
    with client, server:
        got: list[str] = []
        back = threading.Thread(target=lambda: got.append(transfer(server, client, data)))
        back.start()
        assert transfer(client, server, data) == hashlib.sha256(data).hexdigest()
        back.join(20)
    assert got == [hashlib.sha256(data).hexdigest()]


@pytest.mark.parametrize(("a", "b"), [(("--no-offload",), ()), ((), ("--no-offload",))])
def test_a_fast_engine_and_a_plain_one_understand_each_other(
    sites: Sites,
    counters: Callable[..., tuple[Counters, Counters]],
    core: str,
    a: tuple[str, ...],
    b: tuple[str, ...],
) -> None:
    both = counters(a, b)
    client, server = connection(sites, INSIDE[4])
    data = random.Random(1).randbytes(4 << 20)
    with client, server:
        assert transfer(client, server, data) == hashlib.sha256(data).hexdigest()
    for each, options in zip(both, (a, b), strict=True):
        assert each.features == (Feature.SECCOMP if options else EVERY[core])
        if options:
            now = settled(each)
            assert now["tun_read_packets"] == now["tun_read_frames"]
            assert now["tun_written_packets"] == now["tun_written_frames"]


def test_small_datagrams_arrive_in_order_and_are_counted_one_by_one(
    sites: Sites, counters: Callable[..., tuple[Counters, Counters]]
) -> None:
    a, b = counters()
    receiver = sites.b.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sender = sites.a.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with receiver, sender:
        receiver.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
        receiver.settimeout(5)
        receiver.bind(("10.0.102.1", 5001))
        sender.connect(("10.0.102.1", 5001))
        for number in range(300):
            sender.send(number.to_bytes(64, "big"))
        got = [int.from_bytes(receiver.recv(2048), "big") for _ in range(300)]
    assert got == list(range(300))
    now = settled(b, udp_received_packets=300)
    assert now["tun_written_packets"] == 300
    agree(sites.a, "tun0", a)
    agree(sites.b, "tun1", b)


@pytest.mark.parametrize("version", [4, 6])
def test_a_packet_too_big_is_answered_as_a_router_does_and_the_path_is_learned(
    sites: Sites, counters: Callable[..., tuple[Counters, Counters]], version: int
) -> None:
    a, b = counters(("--too-big", "icmp"), ("--too-big", "icmp"))
    for site, tun in ((sites.a, "tun0"), (sites.b, "tun1")):
        site.ip(f"link set {tun} mtu 3000")
    options = ["ping", "-n", "-c", "1", "-W", "1", "-M", "do", "-s", "2000"]
    told = sites.a.run(*options, INSIDE[version][1]).stdout
    assert ("mtu = 1472" if version == 4 else "mtu=1472") in told.replace("mtu: ", "mtu=")
    settled(a, out_too_big=1, too_big_answers=1)
    agree(sites.a, "tun0", a)
    # TCP finds the way by itself.
    client, server = connection(sites, INSIDE[version])
    data = random.Random(2).randbytes(1 << 20)
    with client, server:
        assert transfer(client, server, data) == hashlib.sha256(data).hexdigest()
    settled(b, out_too_big=0)


def test_a_packet_that_may_be_fragmented_gets_no_answer(
    sites: Sites, counters: Callable[..., tuple[Counters, Counters]]
) -> None:
    a, _ = counters(("--too-big", "icmp"), ("--too-big", "icmp"))
    for site, tun in ((sites.a, "tun0"), (sites.b, "tun1")):
        site.ip(f"link set {tun} mtu 3000")
    assert sites.a.ping("10.0.102.1", 2, "-M", "dont", "-s", "2000")
    settled(a, out_too_big=0, too_big_answers=0)
