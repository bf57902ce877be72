"""Whole tunnels in real namespaces: two engines, or one and socat."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from labctl.engine.counters import Counters

from .conftest import A, B, Sites
from .samples import PING
from .world import Namespace, next_line, settled, wait_for

pytestmark = pytest.mark.root


def ended(engine: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end; exit code, standard output, standard error."""
    out, err = engine.communicate(timeout=5)
    return engine.returncode, out, err


def test_a_ping_crosses_and_is_counted_exactly(sites: Sites, tmp_path: Path) -> None:
    sites.a.ttun(*A, "--counters", tmp_path / "a")
    sites.b.ttun(*B, "--counters", tmp_path / "b")
    assert sites.a.ping("10.0.102.1", 5)
    for name in ("a", "b"):
        with Counters.open(tmp_path / name) as counters:
            # The last reply is here before the engine that wrote it has counted it.
            now = settled(counters, tun_written_packets=5)
        assert {n for key, n in now.items() if key.startswith(("tun", "udp"))} == {5, 5 * 84}
        assert sum(now.values()) == 4 * (5 + 5 * 84) + 2 * 5


def test_the_set_up_of_the_readme(host: Namespace, tmp_path: Path) -> None:
    host.ip(
        "addr add 10.0.1.1/24 dev lo",
        "addr add 10.0.2.1/24 dev lo",
        "tuntap add dev tun0 mode tun",
        "tuntap add dev tun1 mode tun",
    )
    tun0 = host.ttun("tun0", "10.0.1.1", 9000, "10.0.2.1", 9000, "-v", "--counters", tmp_path / "0")
    tun1 = host.ttun("tun1", "10.0.2.1", 9000, "10.0.1.1", 9000, "-v", "--counters", tmp_path / "1")
    host.ip(
        "addr add 10.0.101.1/24 dev tun0",
        "addr add 10.0.102.1/24 dev tun1",
        "link set tun0 up",
        "link set tun1 up",
    )
    with Counters.open(tmp_path / "0") as zero, Counters.open(tmp_path / "1") as one:
        # Observation 6: the tunnel's own address answers, and no engine sees it.
        assert host.ping("10.0.101.1")
        assert sum(zero.snapshot().values()) == 0
        # Observation 7: any other address of the subnet goes through, and nobody answers.
        assert "0 received" in host.run("ping", "-c", "1", "-W", "0.05", "10.0.101.5").stdout
        settled(one, udp_received_packets=1, tun_written_packets=1)
    for engine in (tun0, tun1):
        engine.send_signal(signal.SIGINT)
    line = "10.0.101.1 > 10.0.101.5 ICMP echo request, 84 bytes\n"
    assert ended(tun0) == (0, f"tun0 > 10.0.2.1:9000  {line}", "")
    assert ended(tun1) == (0, f"10.0.1.1:9000 > tun1  {line}", "")


def test_ipv6_inside_and_outside(sites: Sites) -> None:
    for site, end in ((sites.a, 1), (sites.b, 2)):
        tun = f"tun{end - 1}"
        site.shell(f"for name in wan0 {tun}; do echo 0 > /proc/sys/net/ipv6/conf/$name/disable_ipv6; done")
        site.ip(f"addr add fd00:1::{end}/64 dev wan0 nodad", f"addr add fd00:2::{end}/64 dev {tun} nodad")
    sites.a.ttun("tun0", "fd00:1::1", 9000, "fd00:1::2", 9000)
    sites.b.ttun("tun1", "fd00:1::2", 9000, "fd00:1::1", 9000)
    assert sites.a.ping("fd00:2::2")


@pytest.mark.parametrize("size", [1472, 8000])
def test_a_packet_over_the_wires_mtu_is_fragmented_not_refused(sites: Sites, size: int) -> None:
    sites.a.ttun(*A)
    sites.b.ttun(*B)
    assert sites.a.ping("10.0.102.1", 3, "-s", str(size))


@pytest.mark.parametrize("from_socat", [False, True])
def test_socat_is_a_peer_like_any_other(sites: Sites, from_socat: bool) -> None:
    sites.a.ttun(*A)
    sites.b.start("socat", "TUN,tun-name=tun1,tun-type=tun,iff-no-pi,iff-up", "UDP:192.0.2.1:9000,bind=192.0.2.2:9000")
    wait_for(lambda: "192.0.2.2:9000" in sites.b.shell("ss -aun"), "socat to open its port")
    if from_socat:
        assert sites.b.ping("10.0.101.1")
    else:
        assert sites.a.ping("10.0.102.1")


def test_a_peer_that_is_not_there_yet_costs_packets_but_not_the_engine(sites: Sites, tmp_path: Path) -> None:
    engine = sites.a.ttun(*A, "--counters", tmp_path / "a")
    with Counters.open(tmp_path / "a") as counters:
        assert not sites.a.ping("10.0.102.1", 3, "-W", "0.05")
        wait_for(lambda: counters.snapshot()["icmp_errors"], "the port to be reported as closed")
        settled(counters, tun_read_packets=3)
    sites.b.ttun(*B)
    assert sites.a.ping("10.0.102.1")
    assert engine.poll() is None


def test_a_lost_route_is_counted_and_its_return_noticed(sites: Sites, tmp_path: Path) -> None:
    sites.a.ttun(*A, "--counters", tmp_path / "a")
    sites.b.ttun(*B)
    sites.a.ip("route del 192.0.2.0/30 dev wan0")
    assert not sites.a.ping("10.0.102.1", 2, "-W", "0.05")
    with Counters.open(tmp_path / "a") as counters:
        settled(counters, tun_read_packets=2, out_unreachable=2)
    sites.a.ip("route add 192.0.2.0/30 dev wan0")
    assert sites.a.ping("10.0.102.1")


def test_a_device_that_is_down_drops_until_it_is_up(sites: Sites, tmp_path: Path) -> None:
    sites.a.ttun(*A)
    sites.b.ttun(*B, "--counters", tmp_path / "b")
    sites.b.ip("link set tun1 down")
    assert not sites.a.ping("10.0.102.1", 2, "-W", "0.05")
    with Counters.open(tmp_path / "b") as counters:
        settled(counters, udp_received_packets=2, in_link_down=2)
    sites.b.ip("link set tun1 up", "route add 10.0.101.0/24 dev tun1")
    assert sites.a.ping("10.0.102.1")


@pytest.mark.parametrize("idle", [True, False])
def test_a_deleted_device_ends_the_engine_well(sites: Sites, idle: bool) -> None:
    engine = sites.a.ttun(*A)
    if not idle:
        sites.b.ttun(*B)
        sites.b.start("ping", "-n", "-q", "-i", "0.002", "10.0.101.1")
        wait_for(lambda: sites.a.ping("10.0.102.1", 1), "traffic")
    sites.a.ip("link del tun0")
    assert ended(engine) == (0, "", "ttun: tun0 was deleted: nothing is left to forward\n")


def test_a_route_into_itself_is_noticed(sites: Sites, tmp_path: Path) -> None:
    sites.a.ttun(*A, "--counters", tmp_path / "a")
    sites.a.ip("route add 192.0.2.2/32 dev tun0")
    assert not sites.a.ping("10.0.102.1", 1, "-W", "0.05")
    with Counters.open(tmp_path / "a") as counters:
        settled(counters, tun_read_packets=2, udp_sent_packets=1, out_routing_loop=1)


def peer_socket(site: Namespace, port: int) -> socket.socket:
    """A plain socket where B's engine would be."""
    made = site.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    made.bind(("192.0.2.2", port))
    return made


def received(site: Namespace) -> int:
    """What the kernel says has come out of tun0 (written by the engine)."""
    return int(
        site.shell("ip -s -j link show tun0 | grep -o '\"rx\":{[^}]*' | grep -o 'packets\":[0-9]*' | cut -d: -f2")
    )


def test_a_stranger_is_counted_and_kept_out(sites: Sites, tmp_path: Path) -> None:
    engine = sites.a.ttun(*A, "-v", "--counters", tmp_path / "a")
    with Counters.open(tmp_path / "a") as counters, closing(peer_socket(sites.b, 9001)) as stranger:
        stranger.sendto(PING, ("192.0.2.1", 9000))
        settled(counters, udp_received_packets=1, in_not_from_peer=1)
    assert received(sites.a) == 0
    packet = "10.0.101.1 > 10.0.102.1 ICMP echo request, 84 bytes"
    assert next_line(engine) == f"192.0.2.2:9001 > tun0  {packet}, dropped: in_not_from_peer\n"


def test_hostile_datagrams_are_drops_and_never_reach_the_device(sites: Sites, tmp_path: Path) -> None:
    hostile = [PING[:length] for length in range(len(PING))]
    hostile += [bytes([version << 4 | 5]) + bytes(60) for version in range(16)]
    hostile += [PING + b"\0", PING + PING, bytes(65507), b"\xff" * 1400]
    engine = sites.a.ttun(*A, "--counters", tmp_path / "a")
    with Counters.open(tmp_path / "a") as counters, closing(peer_socket(sites.b, 9000)) as peer:
        for datagram in [*hostile, PING]:
            peer.sendto(datagram, ("192.0.2.1", 9000))
        settled(counters, udp_received_packets=len(hostile) + 1, in_empty=1, tun_written_packets=1)
    assert received(sites.a) == 1
    assert engine.poll() is None


def test_neither_direction_starves_the_other_or_the_signal(sites: Sites) -> None:
    engine = sites.a.ttun(*A)
    sites.b.ttun(*B)
    sites.a.start("ping", "-n", "-q", "-f", "-l", "100", "10.0.102.1")
    sites.b.start("ping", "-n", "-q", "-f", "-l", "100", "10.0.101.1")
    wait_for(lambda: sites.a.ping("10.0.102.1") and sites.b.ping("10.0.101.1"), "answers in the middle of a flood")
    began = time.monotonic()
    engine.terminate()
    assert ended(engine) == (0, "", "")
    assert time.monotonic() - began < 2


def test_output_that_nobody_reads_any_more_is_a_quiet_end(sites: Sites) -> None:
    engine = sites.a.ttun(*A, "-v")
    assert engine.stdout and engine.stderr
    engine.stdout.close()
    sites.a.ping("10.0.102.1", 1, "-W", "0.05")
    assert (engine.wait(timeout=5), engine.stderr.read()) == (0, "")
