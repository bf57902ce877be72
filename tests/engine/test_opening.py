"""Opening ports and giving up rights: who may, who may not, and what they are told."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from select import select
from typing import Any

import pytest

from labctl.engine import ttun
from labctl.engine.endpoint import Endpoint
from labctl.engine.errors import EngineError
from labctl.engine.packets.address import Address
from labctl.engine.tun.device import TunDevice
from labctl.engine.udp.peer import UdpPeer, UdpStrangers, open_udp
from labctl.engine.udp.sockets import family_of

from .world import REPOSITORY, Namespace, status, wait_until_unprivileged

TTUN = (sys.executable, "-m", "labctl.engine.ttun")
ENDS = ("10.0.1.1", "9000", "10.0.2.1", "9000")
GOOD = ("tun0", *ENDS)


@pytest.mark.parametrize(
    ("host", "port"),
    [("localhost", 9000), ("10.0.0.256", 9000), ("10.0.0.1", 0), ("10.0.0.1", 65536), ("::ffff:10.0.0.1", 1)],
)
def test_an_address_is_numeric_and_has_a_port(host: str, port: int) -> None:
    with pytest.raises(ValueError, match=host if host != "10.0.0.1" else str(port)):
        Address(host, port)


@pytest.mark.parametrize("text", ["10.0.1.1:9000", "[fd00::1]:9000", "[fe80::1%wan0]:1"])
def test_an_address_reads_what_it_writes(text: str) -> None:
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "10.0.1.1", "10.0.1.1:", "10.0.1.1:x", "fd00::1:9000", "[10.0.1.1]:9000", ":9000"]
)
def test_half_an_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Address.parse(text)


@pytest.mark.parametrize(
    ("device", "bind", "peer"),
    [
        ("", "10.0.1.1:1", "10.0.2.1:1"),
        ("sixteen-letters-", "10.0.1.1:1", "10.0.2.1:1"),
        ("tun/0", "10.0.1.1:1", "10.0.2.1:1"),
        ("tun%d", "10.0.1.1:1", "10.0.2.1:1"),
        ("tun0", "10.0.1.1:1", "[fd00::1]:1"),
        ("tun0", "10.0.1.1:1", "0.0.0.0:1"),
        ("tun0", "10.0.1.1:1", "10.0.1.1:1"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(device: str, bind: str, peer: str) -> None:
    with pytest.raises(ValueError):
        Endpoint(device, Address.parse(bind), Address.parse(peer))


@pytest.mark.parametrize("words", [(), GOOD[:4], ("tun0", "x", *GOOD[2:]), (*GOOD, "--verb"), ("tun/0", *ENDS)])
def test_a_wrong_call_is_told_in_three_lines(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        ttun.main(list(words))
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) <= 3


@pytest.fixture
def pair(host: Namespace) -> Namespace:
    """A host with both ends of a tunnel, and a TUN device."""
    host.ip("addr add 10.0.1.1 dev lo", "addr add 10.0.2.1 dev lo", "tuntap add dev tun0 mode tun")
    host.shell("echo 0 > /proc/sys/net/ipv6/conf/lo/disable_ipv6")
    host.ip("addr add fd00::1/128 dev lo nodad", "addr add fd00::2/128 dev lo nodad")
    return host


def arrived(port: UdpPeer | UdpStrangers, receive: Callable[[], Any]) -> Any:
    """What comes next; on a busy machine a datagram arrives a moment after it was sent."""
    assert select([port], [], [], 5)[0]
    return receive()


@pytest.mark.root
@pytest.mark.parametrize("hosts", [("10.0.1.1", "10.0.2.1"), ("fd00::1", "fd00::2")])
def test_the_port_is_ours_alone_and_each_datagram_finds_its_socket(pair: Namespace, hosts: tuple[str, str]) -> None:
    bind, peer = Address(hosts[0], 9000), Address(hosts[1], 9000)

    def at(port: int) -> socket.socket:
        made = socket.socket(family_of(bind), socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((peer.host, port))
        return made

    def inside() -> None:
        ours, strangers = open_udp(bind, peer, UdpPeer)
        with closing(ours), closing(strangers), at(9000) as friend, at(9001) as stranger:
            for _ in range(3):
                stranger.sendto(b"stranger", (bind.host, 9000))
                friend.sendto(b"friend", (bind.host, 9000))
            assert [arrived(ours, ours.receive) for _ in range(3)] == [b"friend"] * 3
            assert [arrived(strangers, strangers.receive_from) for _ in range(3)] == [
                (b"stranger", str(Address(peer.host, 9001)), None)
            ] * 3
            for port in (ours.receive, strangers.receive_from):
                with pytest.raises(BlockingIOError):
                    port()
            with pytest.raises(EngineError, match="EADDRINUSE"):
                open_udp(bind, Address(peer.host, 9001))
            with (
                socket.socket(family_of(bind), socket.SOCK_DGRAM) as third,
                pytest.raises(OSError, match="in use"),
            ):
                third.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                third.bind((bind.host, 9000))

    pair.call(inside)


@pytest.mark.root
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("lo", *ENDS), 4, ["cannot attach to lo", "EINVAL", "no plain TUN device"]),
        (("tun0", "10.9.9.9", *ENDS[1:]), 4, ["cannot bind 10.9.9.9:9000", "EADDRNOTAVAIL", "ip addr add"]),
        (("tun0", *ENDS[:2], "192.0.2.2", "9000"), 4, ["192.0.2.2:9000", "ENETUNREACH", "ip route get"]),
        ((*GOOD, "--counters", "/proc/none"), 3, ["counters to /proc/none", "ENOENT", "directory"]),
    ],
)
def test_a_refusal_says_what_failed_and_why_and_what_to_do(
    pair: Namespace, words: tuple[str, ...], code: int, says: list[str]
) -> None:
    done = pair.run(*TTUN, *words)
    assert done.returncode == code
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert all(expected in line for expected, line in zip(says, lines, strict=True))


@pytest.mark.root
def test_a_device_and_a_port_have_one_engine(pair: Namespace) -> None:
    pair.ttun(*GOOD)
    second = pair.run(*TTUN, *GOOD)
    assert (second.returncode, "EBUSY" in second.stderr) == (4, True)
    third = pair.run(*TTUN, "tun1", *GOOD[1:])
    assert (third.returncode, "EADDRINUSE" in third.stderr) == (4, True)
    assert "tun1" not in pair.shell("ip link")


@pytest.mark.root
def test_a_device_carries_from_the_moment_that_it_is_open(host: Namespace) -> None:
    numbers = range(20)
    host.ip(*(f"tuntap add dev t{number} mode tun" for number in numbers), "addr add 10.0.0.1/32 dev lo")
    host.ip(*(f"link set t{number} up" for number in numbers))
    host.ip(*(f"route add 10.0.1.{number}/32 dev t{number} src 10.0.0.1" for number in numbers))

    def swallowed(number: int) -> bool:
        with closing(TunDevice.open(f"t{number}")) as port:
            sender.sendto(b"packet", (f"10.0.1.{number}", 9))
            return not select([port], [], [], 0)[0]

    with closing(host.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))) as sender:
        assert host.call(lambda: [number for number in numbers if swallowed(number)]) == []


def test_root_keeps_nothing(pair: Namespace) -> None:
    engine = pair.start("setpriv", "--groups", "4,5", *TTUN, *GOOD)
    wait_until_unprivileged(engine)
    now = status(engine.pid)
    assert {int(now[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert (now["NoNewPrivs"], now["Groups"]) == ("1", "")
    assert now["Uid"].split() == now["Gid"].split() == ["65534"] * 4


def test_an_engine_is_one_thread(pair: Namespace) -> None:
    """Loaded as usual, numpy would bring one for each further CPU."""
    assert status(pair.ttun(*GOOD).pid)["Threads"] == "1"


@pytest.mark.root
def test_where_only_root_is_mapped_its_capabilities_go_all_the_same(
    make_namespace: Callable[..., Namespace],
) -> None:
    host = make_namespace("--user", "--map-root-user", "--net")
    host.ip("addr add 10.0.1.1 dev lo", "addr add 10.0.2.1 dev lo")
    engine = host.ttun(*GOOD)
    now = status(engine.pid)
    assert {int(now[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert (now["NoNewPrivs"], now["Uid"].split()) == ("1", ["0"] * 4)


@pytest.fixture
def as_user(make_namespace: Callable[..., Namespace]) -> Iterator[tuple[Namespace, list[str]]]:
    """A host where every user may open /dev/net/tun, and the words that start ttun there as user 1000.

    A test tree may be root's alone, so the private mounts hold a copy of the engine that all may read.
    """
    python = "/usr/bin/python3"
    check = [python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    if not Path(python).exists() or subprocess.run(check, check=False).returncode:
        pytest.skip("needs a Python >= 3.11 that every user may run")
    host = make_namespace("--mount", "--net")
    host.shell(
        f"""
        mount -t tmpfs -o mode=755 tmpfs /mnt
        mknod -m 666 /mnt/tun c 10 200
        mount --bind /mnt/tun /dev/net/tun
        mkdir /mnt/labctl && cp {REPOSITORY}/labctl/__init__.py /mnt/labctl
        cp -r {REPOSITORY}/labctl/engine /mnt/labctl && chmod -R a+rX /mnt/labctl
        ip addr add 10.0.1.1 dev lo && ip addr add 10.0.2.1 dev lo
        ip tuntap add dev tun0 mode tun user 1000
        ip tuntap add dev tun1 mode tun user 2000
        """
    )
    user = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "env", "PYTHONPATH=/mnt"]
    yield host, [*user, python, "-m", "labctl.engine.ttun"]


@pytest.mark.root
def test_an_ordinary_user_runs_a_device_of_his_own(as_user: tuple[Namespace, list[str]]) -> None:
    host, command = as_user
    engine = host.start(*command, *GOOD)
    wait_until_unprivileged(engine)
    assert status(engine.pid)["Uid"].split() == ["1000"] * 4
    engine.terminate()
    assert engine.communicate(timeout=5) == ("", "")
    assert engine.returncode == 0


@pytest.mark.root
@pytest.mark.parametrize("device", ["tun1", "tun2"])
def test_an_ordinary_user_without_a_right_is_told_how_to_get_it(
    as_user: tuple[Namespace, list[str]], device: str
) -> None:
    host, command = as_user
    done = host.run(*command, device, *ENDS)
    assert done.returncode == 3
    assert done.stderr == (
        f"ttun: cannot attach to {device}\n"
        "  Operation not permitted (EPERM)\n"
        f"  as root make it yours: ip tuntap add dev {device} mode tun user NAME\n"
    )


@pytest.mark.root
def test_a_closed_device_node_is_told(as_user: tuple[Namespace, list[str]]) -> None:
    host, command = as_user
    host.shell("chmod 600 /mnt/tun")
    done = host.run(*command, *GOOD)
    assert (done.returncode, done.stderr.splitlines()[0]) == (3, "ttun: cannot open /dev/net/tun")


@pytest.mark.parametrize("call", [("tun0", "10.0.1.1:9000", "10.0.2.1:9000"), ("tun0", *ENDS[:3], "x"), ("--help",)])
def test_what_the_command_says_of_a_call_fits_a_terminal(call: tuple[str, ...]) -> None:
    done = subprocess.run([*TTUN, *call], capture_output=True, text=True, check=False, env={"COLUMNS": "80"})
    said = (done.stdout + done.stderr).splitlines()
    assert all(len(line) <= 80 for line in said), said
    assert len(said) <= 3 or call == ("--help",)
    assert "int" not in done.stderr
