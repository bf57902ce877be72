"""What comes back for a packet that went wrong, and from whom."""

from __future__ import annotations

import errno
import select
import socket

import pytest

from labctl.kernel.icmp_errors import IcmpError, ask_for_errors, errors
from tests.kernel.frames import CABLE
from tests.kernel.space import Space


def came_back(space: Space, address: str, size: int = 5, ttl: int = 64) -> list[IcmpError]:
    """The errors for one datagram that may not be fragmented."""

    def send() -> list[IcmpError]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            ask_for_errors(sender)
            if family == socket.AF_INET:
                sender.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER: IP_PMTUDISC_DO
                sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            else:
                sender.setsockopt(socket.IPPROTO_IPV6, 62, 1)  # IPV6_DONTFRAG
            try:
                sender.sendto(bytes(size), (address, 9))
            except OSError as error:
                assert error.errno == errno.EMSGSIZE
            ready = select.poll()
            ready.register(sender, 0)
            ready.poll(5000)
            return list(errors(sender))

    return space.ask(send)


@pytest.mark.parametrize(
    "address, origin, words",
    [
        ("127.0.0.1", "icmp", "destination unreachable: port"),
        ("::1", "icmp6", "destination unreachable: port"),
    ],
)
def test_a_port_without_a_socket_is_told(space: Space, address: str, origin: str, words: str) -> None:
    (found,) = came_back(space, address)
    assert (found.errno, found.origin, str(found.sender), str(found.to)) == (
        errno.ECONNREFUSED,
        origin,
        address,
        address,
    )
    assert (found.words, found.mtu) == (words, None)


def test_a_neighbour_that_does_not_answer_is_told_by_our_own_host(space: Space) -> None:
    space.sh(f"{CABLE}; ip link set eth1 up; sysctl -q net.ipv4.neigh.eth0.retrans_time_ms=10")
    (found,) = came_back(space, "10.0.0.2")
    assert (found.errno, found.words, str(found.sender)) == (
        errno.EHOSTUNREACH,
        "destination unreachable: host",
        "10.0.0.1",
    )


def test_an_mtu_of_our_own_is_told_without_icmp(space: Space) -> None:
    space.sh(f"{CABLE}; ip link set eth1 up; ip link set eth0 mtu 1300")
    (found,) = came_back(space, "10.0.0.2", 2000)
    assert (found.errno, found.origin, found.mtu, found.sender, found.words) == (
        errno.EMSGSIZE,
        "local",
        1300,
        None,
        "",
    )


@pytest.mark.parametrize(
    "reject, words",
    [
        ("icmp admin-prohibited", "destination unreachable: communication prohibited"),
        ("icmp host-prohibited", "destination unreachable: host prohibited"),
    ],
)
def test_a_firewall_that_rejects_is_told_in_words(space: Space, reject: str, words: str) -> None:
    space.sh(
        f"""nft add table ip t; nft add chain ip t c '{{ type filter hook input priority 0; }}'
        nft add rule ip t c udp dport 9 reject with {reject}"""
    )
    (found,) = came_back(space, "127.0.0.1")
    assert found.words == words


def test_the_words_of_what_a_router_says() -> None:
    assert IcmpError(errno.EHOSTUNREACH, "icmp", 11, 0, None, None, None).words == "time exceeded"
    too_big = IcmpError(errno.EMSGSIZE, "icmp", 3, 4, None, None, 1300)
    assert too_big.words == "destination unreachable: fragmentation needed (MTU 1300)"
    assert IcmpError(errno.EMSGSIZE, "icmp6", 2, 0, None, None, 1280).words == "packet too big (MTU 1280)"
    assert IcmpError(0, "icmp", 3, 99, None, None, None).words == "destination unreachable: code 99"
    assert IcmpError(0, "icmp6", 200, 0, None, None, None).words == "icmp6 type 200"
