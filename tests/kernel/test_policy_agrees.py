"""Rules and routes made at random: what is worked out from them is what the kernel does."""

from __future__ import annotations

import errno
import ipaddress
import random
import subprocess
from collections.abc import Iterator

import pytest

from labctl.kernel.flow import Flow
from labctl.kernel.lookup import NoWay, Way, route_in, route_out
from tests.kernel.space import Space, shell

SET_UP = """
sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip link add name eth0 type veth peer name eth1
ip link set eth0 up; ip link set eth1 up
ip addr add 10.0.0.1/24 dev eth0; ip addr add 10.1.0.1/24 dev eth1
ip addr add fd00::1/64 dev eth0 nodad; ip addr add fd01::1/64 dev eth1 nodad
"""
NETWORKS = {
    4: ("10.2.0.0/16", "10.2.3.0/24", "10.2.3.4/32", "10.3.0.0/16", "10.0.0.1/32", "0.0.0.0/0"),
    6: ("fd02::/32", "fd02:3::/48", "fd02:3::4/128", "fd03::/32", "fd00::1/128", "::/0"),
}
HOPS = {
    4: ("via 10.0.0.2", "via 10.1.0.2", "dev eth0", "dev eth1"),
    6: ("via fd00::2", "via fd01::2", "dev eth0", "dev eth1"),
}
HOSTS = {
    4: ("10.2.3.4", "10.2.3.9", "10.2.9.9", "10.3.1.1", "10.0.0.1", "10.0.0.9", "10.9.9.9"),
    6: ("fd02:3::4", "fd02:3::9", "fd02:9::", "fd03::1", "fd00::1", "fd00::9", "fd09::1"),
}
ARRIVING = {4: ("10.0.0.9", "10.3.1.1"), 6: ("fd00::9", "fd03::1")}
SENDING = {4: ("10.0.0.1", "10.1.0.1"), 6: ("fd00::1", "fd01::1")}
ACTIONS = (
    *("lookup 10", "lookup 11", "lookup main", "prohibit", "blackhole", "unreachable", "goto 13", "goto 14", "nop"),
    *("lookup main suppress_prefixlength 16", "lookup 10 suppress_prefixlength 0"),
)


def routes(chance: random.Random, version: int) -> Iterator[str]:
    for _ in range(chance.randint(0, 5)):
        kind = chance.choice(("blackhole", "prohibit", "unreachable", "throw", "", "", ""))
        table = chance.choice(("10", "11", "main"))
        to = chance.choice(NETWORKS[version][: -1 if table == "main" else None])
        hop = "" if kind else chance.choice(HOPS[version])
        yield f"route append {kind} {to} {hop} table {table} metric {chance.choice((5, 9))}"


def rules(chance: random.Random, version: int) -> Iterator[str]:
    for _ in range(chance.randint(0, 6)):
        asked = [
            (0.15, "not"),
            (0.4, f"from {chance.choice(NETWORKS[version])}"),
            (0.5, f"to {chance.choice(NETWORKS[version])}"),
            (0.2, f"fwmark {chance.choice(('1', '0x2/0x3'))}"),
            (0.2, f"iif {chance.choice(('lo', 'eth0'))}"),
            (0.15, f"oif {chance.choice(('eth0', 'eth1'))}"),
            (0.3, f"ipproto udp {chance.choice(('', 'dport 9', 'dport 1-20'))}"),
        ]
        words = " ".join(word for likely, word in asked if chance.random() < likely)
        yield f"rule add pref {chance.randint(1, 12)} {words} {chance.choice(ACTIONS)}"
    if chance.random() < 0.5:
        yield "rule add pref 13 lookup 11"


def flow(chance: random.Random, version: int, arrives: bool) -> Flow:
    to = ipaddress.ip_address(chance.choice(HOSTS[version]))
    source = chance.choice(ARRIVING[version] if arrives else SENDING[version])
    is_chosen = arrives or chance.random() < 0.5
    return Flow(
        to,
        ipaddress.ip_address(source) if is_chosen else None,
        chance.choice(("udp", "tcp")),
        4000,
        chance.choice((9, 30)),
        chance.choice((0, 0, 1, 2)),
        "" if is_chosen else chance.choice(("", "eth0")),
    )


def is_explained(found: Way | NoWay, of: Flow) -> bool:
    """Whether what was worked out agrees with the kernel's answer."""
    if isinstance(found, Way):
        return found.rule is not None or (bool(of.bound_to) and found.route is None)
    is_missing = found.errno == errno.ENETUNREACH and (found.route, found.rule) == (None, None)
    return found.refused_by_route or is_missing


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("seed", range(8))
def test_rules_and_routes_are_followed_as_the_kernel_follows_them(space: Space, version: int, seed: int) -> None:
    chance = random.Random(seed)
    made = "\n".join((*routes(chance, version), *rules(chance, version)))
    asked = [(flow(chance, version, arrives), arrives) for arrives in (False, True) for _ in range(8)]

    def look() -> list[tuple[Flow, Way | NoWay]]:
        shell(SET_UP)
        command = ["ip", f"-{version}", "-force", "-batch", "-"]  # some of them are the same, and refused
        subprocess.run(command, input=made, text=True, capture_output=True, check=False)
        return [(of, route_in(of, "eth0") if arrives else route_out(of)) for of, arrives in asked]

    unexplained = [each for each in space.ask(look) if not is_explained(each[1], each[0])]
    assert unexplained == [], made
