"""Which sockets there are, which of them gets a packet, and which programs have them and the TUN devices."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from labctl.kernel import programs
from labctl.kernel.programs import Program
from labctl.kernel.sock_diag import Socket, receivers, sockets
from labctl.kernel.tuntap import DEVICE, IFF_NO_PI, IFF_TUN, TUNSETIFF
from labctl.process.processes import title_of
from labctl.process.syscalls import CLONE_NEWNET, CLONE_NEWNS, MS_BIND, mount, unshare
from tests.e2e.world import eventually
from tests.kernel.frames import CABLE, FLOW, FROM, TO, send
from tests.kernel.space import Space


def udp(
    host: str = "10.0.0.1",
    port: int = 9000,
    device: str = "",
    remote: tuple[str, int] | None = None,
    v6only: bool = False,
    reuse: bool = False,
) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    if device:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    if ":" in host:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    made.bind((host, port))
    if remote:
        made.connect(remote)
    return made


def seen(space: Space, *make: Callable[[], socket.socket], protocol: str = "udp") -> list[Socket]:
    """The sockets of a namespace in which these were made, and nothing else is."""

    def look() -> list[Socket]:
        with ExitStack() as opened:
            for one in make:
                opened.enter_context(one())
            return sockets(protocol)

    return space.ask(look)


def test_a_bound_socket_tells_where_and_whose_it_is(space: Space) -> None:
    space.sh(CABLE)
    (found,) = seen(space, lambda: udp(device="eth0"))
    assert (found.state, found.host, found.port, found.interface) == ("unconnected", TO, 9000, "eth0")
    assert (found.is_connected, found.receive_queue, found.drops) == (False, 0, 0)
    assert found.inode and found.receive_buffer > 4096


def test_a_connected_socket_tells_its_other_end(space: Space) -> None:
    space.sh(CABLE)
    (found,) = seen(space, lambda: udp(remote=("10.0.0.7", 4000)))
    assert (found.state, found.remote_host, found.remote_port, found.is_connected) == ("established", FROM, 4000, True)


def test_what_waits_in_a_socket_and_what_did_not_fit_is_counted(space: Space) -> None:
    def look() -> list[Socket]:
        with udp("127.0.0.1") as receiver, udp("127.0.0.1", 0) as sender:
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the kernel makes it the least it has
            for _ in range(20):
                sender.sendto(bytes(1000), ("127.0.0.1", 9000))
            return sockets("udp")

    (found,) = (each for each in space.ask(look) if each.port == 9000)
    assert (found.drops, found.receive_queue > 1000, found.receive_buffer < 20_000) == (19, True, True)


def test_tcp_sockets_listen_or_are_connected(space: Space) -> None:
    def look() -> list[Socket]:
        address = ("127.0.0.1", 8000)
        with socket.create_server(address, backlog=7), socket.socket() as client:
            client.connect(address)
            return sockets("tcp")

    found = space.ask(look)
    (listening,) = (each for each in found if each.state == "listening")
    assert (listening.port, listening.receive_queue, listening.send_queue) == (8000, 1, 7)
    assert [each.state for each in found if each.is_connected] == ["established"] * 2


@pytest.mark.parametrize(
    "one, gets_it",
    [
        (lambda: udp(), True),
        (lambda: udp("0.0.0.0"), True),
        (lambda: udp("::"), True),
        (lambda: udp("::", v6only=True), False),
        (lambda: udp("::ffff:10.0.0.1"), True),
        (lambda: udp("127.0.0.1"), False),
        (lambda: udp(port=9001), False),
        (lambda: udp(device="eth0"), True),
        (lambda: udp(device="eth1"), False),
        (lambda: udp(remote=("10.0.0.7", 4000)), True),
        (lambda: udp(remote=("10.0.0.7", 4001)), False),
        (lambda: udp(remote=("10.0.0.8", 4000)), False),
    ],
)
def test_a_socket_gets_a_packet_as_the_kernel_gives_it(
    space: Space, one: Callable[[], socket.socket], gets_it: bool
) -> None:
    """The packet really comes: over a veth, made by hand."""
    space.sh(f"{CABLE}; ip link set eth1 up")

    def look() -> tuple[list[Socket], bool]:
        with one() as made:
            found = receivers(FLOW, "eth0", sockets("udp"))
            made.settimeout(0.2 if not gets_it else 5)
            send()
            try:
                return found, made.recv(100) == b"hello"
            except TimeoutError:
                return found, False

    found, came = space.ask(look)
    assert (bool(found), came) == (gets_it, gets_it)


def test_the_socket_that_is_meant_most_exactly_comes_first(space: Space) -> None:
    space.sh(CABLE)
    found = seen(
        space,
        lambda: udp("::", reuse=True),
        lambda: udp("0.0.0.0", reuse=True),
        lambda: udp("0.0.0.0", device="eth0", reuse=True),
        lambda: udp(reuse=True),
        lambda: udp(remote=("10.0.0.7", 4000), reuse=True),
    )
    hosts = [(str(each.host), each.interface, each.is_connected) for each in receivers(FLOW, "eth0", found)]
    assert hosts == [
        ("10.0.0.1", "", True),
        ("10.0.0.1", "", False),
        ("0.0.0.0", "eth0", False),
        ("0.0.0.0", "", False),
        ("::", "", False),
    ]


def socket_and_tun(path: Path = DEVICE) -> tuple[socket.socket, int]:
    """What a program has open that forwards packets."""
    tun = os.open(path, os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("=16sH22x", b"tun7", IFF_TUN | IFF_NO_PI))
    return udp("127.0.0.1"), tun


def test_the_program_that_has_a_socket_is_found_and_whether_it_runs(space: Space) -> None:
    with space.holding(socket_and_tun) as pid:
        (inode,) = (each.inode for each in space.ask(lambda: sockets("udp")))

        def having() -> Program:
            ((found,),) = space.ask(lambda: programs.with_sockets([inode])).values()
            return found

        found = having()
        assert (found.pid, found.name, found.is_stopped) == (pid, title_of(pid), False)
        os.kill(pid, signal.SIGSTOP)
        eventually(lambda: programs.program(pid).state == "stopped", "the program is stopped")
        assert having().is_stopped


def test_the_program_that_has_a_tun_device_is_found_in_the_namespace_of_the_device(space: Space) -> None:
    with closing(Space(space.mode)) as other, space.holding(socket_and_tun) as pid:
        assert [found.pid for found in space.ask(programs.with_tun_devices)["tun7"]] == [pid]
        assert other.ask(programs.with_tun_devices) == {}, "a device of the same name is another in another namespace"
    assert space.ask(programs.with_tun_devices) == {}


def test_a_program_that_has_opened_a_tun_device_at_another_path_is_found(space: Space) -> None:
    """As in a container that was given the device: what is one file in its mount namespace is "/" as seen from here."""
    elsewhere = Path("/dev/full")

    def opened() -> tuple[socket.socket, int]:
        unshare(CLONE_NEWNS)
        mount(str(DEVICE), str(elsewhere), flags=MS_BIND)
        return socket_and_tun(elsewhere)

    with space.holding(opened) as pid:
        assert [found.pid for found in space.ask(programs.with_tun_devices)["tun7"]] == [pid]


def test_a_program_elsewhere_that_has_taken_a_tun_device_along_is_found(space: Space) -> None:
    """As an engine may: the device stays in the namespace in which it was made."""
    with closing(Space(space.mode)) as other:

        def emigrated() -> tuple[socket.socket, int]:
            made = socket_and_tun()
            unshare(CLONE_NEWNET)
            return made

        with space.holding(emigrated) as pid:
            assert [found.pid for found in space.ask(programs.with_tun_devices)["tun7"]] == [pid]
            assert other.ask(programs.with_tun_devices) == {}


def test_a_program_that_has_ended_is_ended() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    eventually(lambda: programs.program(child).state == "ended", "it is a zombie")
    os.waitpid(child, 0)
    assert programs.program(child).state == "ended"
