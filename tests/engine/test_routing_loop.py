"""Tunnels inside themselves are cut, and those inside others are not: by bytes, and on the kernel."""

from __future__ import annotations

import hashlib
import random
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.counters import Counters
from labctl.engine.packets.address import Address
from labctl.engine.packets.routing_loop import OwnDatagrams, to_inspect
from labctl.engine.packets.train import Train

from .conftest import Sites, connection, transfer
from .oracle import carries
from .samples import PING, ipv4, ipv6, tcp, udp
from .world import Namespace, balanced, settled, wait_for

OWN4 = OwnDatagrams.between(Address("10.0.1.1", 9000), Address("10.0.2.1", 9001))
OWN6 = OwnDatagrams.between(Address("fd00::1", 9000), Address("fd00::2", 9001))
MORE = 0x2000


def own4(inside: bytes = b"", fragment: int = 0) -> bytes:
    return ipv4("10.0.1.1", "10.0.2.1", 17, udp(9000, 9001, inside), fragment=fragment)


def other4(inside: bytes = b"") -> bytes:
    return ipv4("10.0.3.1", "10.0.4.1", 17, udp(9000, 9001, inside))


def other6(inside: bytes = b"") -> bytes:
    return ipv6("fd00::3", "fd00::4", 17, udp(9002, 9002, inside))


def cut(packet: bytes, size: int) -> bytes:
    """The first fragment of an IPv4 packet without options; its checksum is not made right."""
    return packet[:2] + struct.pack("!HHH", size, 1, MORE) + packet[8:size]


@pytest.mark.parametrize(
    ("own", "packet", "ours"),
    [
        (OWN4, own4(), True),
        (OWN4, ipv4("10.0.1.1", "10.0.2.1", 17, udp(9000, 9001), options=bytes(4)), True),
        (OWN4, own4(fragment=MORE), True),
        (OWN4, own4(fragment=MORE | 2), False),
        (OWN4, own4(fragment=2), False),
        (OWN4, ipv4("10.0.1.1", "10.0.2.1", 17, udp(9001, 9000)), False),
        (OWN4, ipv4("10.0.1.1", "10.0.2.1", 17, udp(9000, 9000)), False),
        (OWN4, ipv4("10.0.1.2", "10.0.2.1", 17, udp(9000, 9001)), False),
        (OWN4, ipv4("10.0.1.1", "10.0.2.2", 17, udp(9000, 9001)), False),
        (OWN4, ipv4("10.0.2.1", "10.0.1.1", 17, udp(9000, 9001)), False),
        (OWN4, ipv4("10.0.1.1", "10.0.2.1", 6, tcp(9000, 9001, 2)), False),
        (OWN4, ipv4("10.0.1.1", "10.0.2.1", 17, b"\x23\x28\x23"), False),
        (OWN4, ipv6("::10.0.1.1", "fd00::2", 17, udp(9000, 9001)), False),
        (OWN6, ipv6("fd00::1", "fd00::2", 17, udp(9000, 9001)), True),
        (OWN6, ipv6("fd00::3", "fd00::2", 17, udp(9000, 9001)), False),
        (OWN6, ipv6("fd00::1", "fd00::2", 44, b"\x11\0\0\1" + bytes(4) + udp(9000, 9001)), True),
        (OWN6, ipv6("fd00::1", "fd00::2", 44, b"\x11\0\0\x09" + bytes(4) + udp(9000, 9001)), False),
        (OWN6, own4(), False),
        # Inside other tunnels.
        (OWN4, other4(own4(PING)), True),
        (OWN4, other6(own4(PING)), True),
        (OWN4, other6(other4(other6(own4(PING)))), True),
        (OWN6, other4(ipv6("fd00::1", "fd00::2", 17, udp(9000, 9001, PING))), True),
        (OWN6, other4(ipv6("fd00::1", "fd00::2", 60, b"\x11\0" + bytes(6) + udp(9000, 9001, PING))), True),
        (OWN4, cut(other4(own4(bytes(1400))), 1444), True),
        (OWN4, cut(other4(cut(own4(bytes(1500)), 1472)), 1444), True),
        (OWN4, other4(PING), False),
        (OWN4, other4(own4(PING)[:-1]), False),
        (OWN4, other4(own4(PING) + b"\0"), False),
        (OWN4, other4(b"\0" + own4(PING)), False),
        (OWN4, other4(own4(PING, fragment=2)), False),
    ],
)
def test_only_the_tunnels_own_datagrams_are_recognised(own: OwnDatagrams, packet: bytes, ours: bool) -> None:
    assert own.match(packet) is ours
    assert carries(packet, own.addresses, own.ports) is ours


layers = st.recursive(
    st.sampled_from(
        [PING, b"", b"E", own4(), own4(PING), cut(own4(bytes(300)), 200), ipv6("fd00::1", "fd00::2", 6, b"")]
    ),
    lambda inside: st.builds(
        lambda wrap, inside, cuts: wrap(inside[:cuts]),
        st.sampled_from([own4, other4, other6, lambda inside: ipv6("fd00::1", "fd00::2", 17, udp(9000, 9001, inside))]),
        inside,
        st.sampled_from([None, -1, 9]),
    ),
    max_leaves=20,
)


@given(layers.filter(lambda packet: len(packet) >= 20))
def test_what_is_recognised_at_any_depth_is_what_the_slow_way_finds(packet: bytes) -> None:
    for own in (OWN4, OWN6):
        assert own.match(packet) is carries(packet, own.addresses, own.ports)


@given(st.lists(st.sampled_from([PING, PING[:-1] + b"!", own4(bytes(56)), other4(bytes(56)), bytes(84)]), min_size=2))
def test_no_packet_of_a_train_with_one_header_is_passed_over(inside: list[bytes]) -> None:
    for wrap in (other4, other6):
        packets = [wrap(each) for each in inside]
        train = Train(memoryview(b"".join(packets)), len(packets[0]), len(packets))
        assert any(map(OWN4.match, to_inspect(train))) is any(map(OWN4.match, packets))


def test_one_packet_speaks_for_a_train_of_tcp_and_for_one_that_carries_no_packets() -> None:
    for packet in (ipv4("10.0.3.1", "10.0.4.1", 6, tcp(1, 2, 0) + PING), other4(bytes(99)), other4(b"E" * 99)):
        assert len(list(to_inspect(Train(memoryview(packet * 9), len(packet), 9)))) == 1
    assert len(list(to_inspect(Train(memoryview(PING * 9), len(PING), 9, 9)))) == 9


@pytest.fixture
def circle(host: Namespace, tmp_path: Path) -> Callable[..., list[Counters]]:
    """Make tunnels tun0, tun1 … whose peers are behind each other in a circle; IPv6 for those that are named."""

    def make(number: int, six: set[int]) -> list[Counters]:
        host.shell("echo 0 > /proc/sys/net/ipv6/conf/lo/disable_ipv6")
        host.ip("addr add 192.0.2.1 dev lo", "addr add fd00:1::1 dev lo nodad")
        opened = []
        for at in range(number):
            host.ip(f"tuntap add dev tun{at} mode tun", f"link set tun{at} mtu 1400 up")
            host.shell(f"echo 0 > /proc/sys/net/ipv6/conf/tun{at}/disable_ipv6")
            host.shell(f"echo 0 > /proc/sys/net/ipv6/conf/tun{at}/router_solicitations")
        for at in range(number):
            ends = ("fd00:1::1", f"fd00:2::{at + 1}") if at in six else ("192.0.2.1", f"192.0.2.{at + 2}")
            host.ip(f"route add {ends[1]} dev tun{(at + 1) % number}")
            host.ttun(f"tun{at}", ends[0], 9000 + at, ends[1], 9000 + at, "--counters", tmp_path / str(at))
            opened.append(Counters.open(tmp_path / str(at)))
        host.ip("route add 198.51.100.1 dev tun0")
        return opened

    return make


@pytest.mark.root
@pytest.mark.parametrize(("number", "six"), [(1, set()), (2, {1}), (3, {0, 2})])
def test_a_circle_of_tunnels_ends_by_itself(
    host: Namespace, circle: Callable[..., list[Counters]], number: int, six: set[int]
) -> None:
    """One ping is wrapped once by each tunnel, and a few times if it takes fragments; then it is inside itself."""
    tunnels = circle(number, six)
    for size, most in ((56, number + 1), (1300, 30 * number), (4000, 100 * number)):
        before = [each.snapshot() for each in tunnels]
        host.run("ping", "-n", "-c", "1", "-W", "0.05", "-s", str(size), "198.51.100.1")
        after = at_rest(tunnels)
        read = sum(now["tun_read_packets"] - then["tun_read_packets"] for now, then in zip(after, before, strict=True))
        assert 1 < read <= most
        assert after[0]["out_routing_loop"] > before[0]["out_routing_loop"]


def at_rest(tunnels: list[Counters]) -> list[dict[str, int]]:
    """The numbers of engines that have had nothing to do for a while."""
    seen: list[dict[str, int]] = []
    since = 0.0

    def unmoved() -> bool:
        nonlocal seen, since
        if (now := [each.snapshot() for each in tunnels]) != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > 0.05 and all(map(balanced, now))

    wait_for(unmoved, "the tunnels to be at rest")
    return seen


@pytest.mark.root
def test_a_tunnel_in_a_tunnel_that_is_no_circle_carries_everything(
    sites: Sites, counters: Callable[..., tuple[Counters, Counters]], tmp_path: Path
) -> None:
    outer = counters()
    inner = []
    for site, end in ((sites.a, 1), (sites.b, 2)):
        site.ip("tuntap add dev tun9 mode tun", f"addr add 10.9.0.{end}/24 dev tun9", "link set tun9 mtu 1352 up")
        ends = (f"fd00:2::{end}", 9000, f"fd00:2::{3 - end}", 9000)
        site.ttun("tun9", *ends, "--counters", tmp_path / f"inner{end}")
        inner.append(Counters.open(tmp_path / f"inner{end}"))
    client, server = connection(sites, ("10.9.0.1", "10.9.0.2"))
    with client, server:
        data = random.Random(9).randbytes(4 << 20)
        assert transfer(client, server, data) == hashlib.sha256(data).hexdigest()
    for each in (*outer, *inner):
        assert settled(each)["out_routing_loop"] == 0
    # The inner tunnel's trains stay trains in the outer one.
    now = settled(outer[0])
    assert now["tun_read_packets"] > now["tun_read_frames"]
