"""Which connections a namespace follows, and whose addresses it translates."""

from __future__ import annotations

import socket

import pytest

from labctl.kernel.conntrack import Connection, connections
from tests.kernel.space import Space, shell

FOLLOWING = """
nft -f - <<'END'
table ip n {
    chain o {
        type nat hook output priority -100;
        ip daddr 127.0.0.9 dnat to 127.0.0.2
        udp dport 9000 dnat to 127.0.0.1:9001
    }
    chain p {
        type nat hook postrouting priority 100;
        ip daddr 127.0.0.8 snat to 127.0.0.7
    }
}
END"""


def followed(space: Space, script: str) -> Connection:
    """The one connection that a script makes."""
    space.sh(FOLLOWING)
    space.sh(script)
    (found,) = space.ask(connections)
    return found


def test_where_nothing_is_followed_there_is_no_connection(space: Space) -> None:
    space.sh("ping -q -c1 127.0.0.1")
    assert space.ask(connections) == []


def test_a_connection_without_nat_is_answered_with_its_ends_exchanged(space: Space) -> None:
    found = followed(space, "ping -q -c1 127.0.0.1")
    assert (found.original.protocol, found.answered, found.translated, found.words) == ("icmp", True, False, "")
    assert found.identifier is not None


@pytest.mark.parametrize(
    "address, words",
    [
        ("127.0.0.9", "to 127.0.0.9 becomes to 127.0.0.2"),
        ("127.0.0.8", "from 127.0.0.1 becomes from 127.0.0.7"),
    ],
)
def test_a_translation_is_what_the_reply_is_not_the_mirror_of(space: Space, address: str, words: str) -> None:
    found = followed(space, f"ping -q -c1 -W0.1 {address} || true")
    assert found.translated and found.words == words


def test_ports_are_translated_too(space: Space) -> None:
    def send() -> list[Connection]:
        shell(FOLLOWING)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind(("127.0.0.1", 4000))
            sender.sendto(b"", ("127.0.0.1", 9000))
        return connections()

    (found,) = space.ask(send)
    assert found.words == "to 127.0.0.1 port 9000 becomes to 127.0.0.1 port 9001"
    assert not found.answered


def test_a_tcp_connection_tells_its_state(space: Space) -> None:
    def connect() -> list[Connection]:
        shell(FOLLOWING)
        with socket.create_server(("127.0.0.1", 8000)), socket.socket() as client:
            client.connect(("127.0.0.1", 8000))
            return connections()

    (found,) = space.ask(connect)
    assert (found.original.protocol, found.original.dport, found.state) == ("tcp", 8000, "ESTABLISHED")


def test_ipv6_is_followed(space: Space) -> None:
    space.sh("nft add table ip6 n; nft add chain ip6 n c '{ type filter hook output priority 0; }'")
    space.sh("nft add rule ip6 n c ct state new accept; ping -q -c1 ::1")
    (found,) = space.ask(connections)
    assert (str(found.original.to), found.original.protocol, found.translated) == ("::1", "ipv6-icmp", False)
