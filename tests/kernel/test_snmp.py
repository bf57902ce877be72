"""What a lost packet is counted as."""

from __future__ import annotations

import socket

import pytest

from labctl.kernel import snmp
from tests.kernel.frames import CABLE, send
from tests.kernel.space import Space


def counted(space: Space, script: str) -> dict[str, int]:
    before = space.ask(snmp.counters)
    space.sh(script)
    return snmp.moved(before, space.ask(snmp.counters))


def test_nothing_has_moved_where_nothing_was_sent(space: Space) -> None:
    assert counted(space, "true") == {}


def test_a_port_without_a_socket_is_counted(space: Space) -> None:
    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", ("127.0.0.1", 9))

    before = space.ask(snmp.counters)
    space.ask(send)
    found = snmp.moved(before, space.ask(snmp.counters))
    assert (found["UdpNoPorts"], found["UdpOutDatagrams"], found["IcmpOutDestUnreachs"]) == (1, 1, 1)


@pytest.mark.parametrize(
    "setting, address, requests, replies",
    [
        ("net/ipv4/icmp_echo_ignore_all", "127.0.0.1", "IcmpInEchos", "IcmpOutEchoReps"),
        ("net/ipv6/icmp/echo_ignore_all", "::1", "Icmp6InEchos", "Icmp6OutEchoReplies"),
    ],
)
def test_a_request_that_is_ignored_is_counted_without_a_reply(
    space: Space, setting: str, address: str, requests: str, replies: str
) -> None:
    answered = counted(space, f"ping -q -c1 {address}")
    assert (answered[requests], answered[replies]) == (1, 1)
    ignored = counted(space, f"echo 1 > /proc/sys/{setting}; ping -q -c1 -W0.1 {address} || true")
    assert (ignored[requests], replies in ignored) == (1, False)


def test_reverse_path_filtering_is_counted(space: Space) -> None:
    space.sh(f"{CABLE}; ip link set eth1 up; ip route add 10.0.0.7 dev eth1; sysctl -q net.ipv4.conf.eth0.rp_filter=1")
    before = space.ask(snmp.counters)
    space.ask(send)
    assert snmp.moved(before, space.ask(snmp.counters))["TcpExtIPReversePathFilter"] == 1


def test_a_policy_of_ipsec_that_blocks_is_counted(space: Space) -> None:
    space.sh(f"{CABLE}; ip link set eth1 up; ip xfrm policy add src 10.0.0.1 dst 10.0.0.2 dir out action block")
    assert counted(space, "ping -q -c1 -W0.1 10.0.0.2 || true")["XfrmOutPolBlock"] > 0
