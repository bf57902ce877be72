"""Which way packets go, as the kernel says it, and which rule and route that was."""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Iterator

import pytest

from labctl.kernel.flow import Flow
from labctl.kernel.lookup import NoWay, Way, route_in, route_out
from labctl.process.syscalls import CLONE_NEWNET, unshare
from labctl.topology.values import Host
from tests.kernel.space import Space

SET_UP = """
ip link add name eth0 type veth peer name eth1
ip link set eth0 up; ip link set eth1 up
ip addr add 10.0.0.1/24 dev eth0; ip addr add 10.9.0.1/24 dev eth1
ip -6 addr add fd00::1/64 dev eth0 nodad
ip route add 10.1.0.0/16 via 10.0.0.2 mtu 1300 src 10.9.0.1
ip route add blackhole 10.2.0.0/16; ip route add prohibit 10.3.0.0/16
ip route add unreachable 10.4.0.0/16; ip route add throw 10.5.0.0/16
ip route add blackhole default table 77; ip rule add to 10.6.0.0/16 ipproto udp dport 9 lookup 77 pref 100
ip route add 10.6.0.0/16 dev eth1
ip rule add from 10.9.0.1 to 10.1.0.0/16 fwmark 0x2 prohibit pref 101
ip rule add to 10.7.0.0/16 iif eth0 unreachable pref 102
ip -6 route add blackhole fd02::/32; ip -6 route add prohibit fd03::/32; ip -6 route add fd04::/32 via fd00::2
"""


@pytest.fixture(scope="module")
def router(shared: Space) -> Iterator[Space]:
    shared.sh(SET_UP)
    yield shared


def host(text: str) -> Host:
    return ipaddress.ip_address(text)


def flow(to: str, source: str = "", protocol: str = "", dport: int = 0, mark: int = 0, bound_to: str = "") -> Flow:
    sport = 4000 if dport else 0
    return Flow(host(to), host(source) if source else None, protocol, sport, dport, mark, bound_to)


def out(space: Space, of: Flow) -> Way | NoWay:
    return space.ask(lambda: route_out(of))


def arriving(space: Space, of: Flow, interface: str = "eth0") -> Way | NoWay:
    return space.ask(lambda: route_in(of, interface))


def words(found: Way | NoWay) -> tuple[str, str]:
    """The route and the rule, in the words of ip(8)."""
    rule = f"{found.rule.priority}: {found.rule.words}" if found.rule else ""
    return found.route.words if found.route else "", rule


MAIN = "32766: from all lookup main"


@pytest.mark.parametrize(
    "to, expected, route, rule",
    [
        ("10.0.0.1", ("lo", None, "10.0.0.1", True), "local 10.0.0.1/32 dev eth0 table local src 10.0.0.1", "local"),
        ("10.0.0.9", ("eth0", None, "10.0.0.1", False), "10.0.0.0/24 dev eth0 src 10.0.0.1", "main"),
        ("10.1.2.3", ("eth0", "10.0.0.2", "10.9.0.1", False), "10.1.0.0/16 via 10.0.0.2 dev eth0 src 10.9.0.1", "main"),
        ("fd00::1", ("lo", None, "fd00::1", True), "local fd00::1/128 dev eth0 table local", "local"),
        ("fd04::1", ("eth0", "fd00::2", "fd00::1", False), "fd04::/32 via fd00::2 dev eth0", "main"),
    ],
)
def test_a_way_out_has_its_source_its_route_and_its_rule(
    router: Space, to: str, expected: tuple[str, str | None, str, bool], route: str, rule: str
) -> None:
    found = out(router, flow(to))
    assert isinstance(found, Way)
    assert (found.interface, found.via, found.source, found.local) == expected
    said, of = words(found)
    assert said.startswith(route)
    assert of == {"main": MAIN, "local": "0: from all lookup local"}[rule]


def test_the_mtu_of_a_route_is_told(router: Space) -> None:
    with_mtu, without = out(router, flow("10.1.2.3")), out(router, flow("10.0.0.9"))
    assert isinstance(with_mtu, Way) and isinstance(without, Way)
    assert (with_mtu.mtu, without.mtu) == (1300, None)


@pytest.mark.parametrize(
    "of, error, route, rule",
    [
        (flow("10.2.0.1"), errno.EINVAL, "blackhole 10.2.0.0/16", MAIN),
        (flow("10.3.0.1"), errno.EACCES, "prohibit 10.3.0.0/16", MAIN),
        (flow("10.4.0.1"), errno.EHOSTUNREACH, "unreachable 10.4.0.0/16", MAIN),
        (flow("10.5.0.1"), errno.ENETUNREACH, "throw 10.5.0.0/16", MAIN),
        (
            flow("10.6.0.1", protocol="udp", dport=9),
            errno.EINVAL,
            "blackhole default table 77",
            "100: from all to 10.6.0.0/16 ipproto udp dport 9 lookup 77",
        ),
        (
            flow("10.1.0.1", "10.9.0.1", mark=2),
            errno.EACCES,
            "",
            "101: from 10.9.0.1/32 to 10.1.0.0/16 fwmark 0x2 prohibit",
        ),
        (flow("fd02::1"), errno.EINVAL, "blackhole fd02::/32", MAIN),
        (flow("fd03::1"), errno.EACCES, "prohibit fd03::/32", MAIN),
    ],
)
def test_a_refusal_names_the_route_or_the_rule_that_refuses(
    router: Space, of: Flow, error: int, route: str, rule: str
) -> None:
    found = out(router, of)
    assert isinstance(found, NoWay)
    assert (found.errno, *words(found)) == (error, route, rule)
    assert found.refused_by_route


@pytest.mark.parametrize("to", ["11.0.0.1", "fd09::1"])
def test_where_no_route_has_a_destination_none_is_named(router: Space, to: str) -> None:
    assert out(router, flow(to)) == NoWay(errno.ENETUNREACH, "", None, None)


def test_a_source_that_is_not_ours_is_not_a_missing_route(router: Space) -> None:
    found = out(router, flow("10.1.0.1", "203.0.113.1"))
    assert isinstance(found, NoWay) and found.route is not None
    assert (found.route.to, found.refused_by_route) == ("10.1.0.0/16", False)


def test_a_rule_takes_only_the_packets_that_it_names(router: Space) -> None:
    for of in (flow("10.6.0.1", protocol="udp", dport=8), flow("10.6.0.1", protocol="tcp", dport=9)):
        found = out(router, of)
        assert isinstance(found, Way) and found.interface == "eth1"


@pytest.mark.parametrize("of", [flow("10.0.0.1", "10.0.0.7"), flow("fd00::1", "fd00::7")])
def test_what_arrives_for_an_address_of_ours_is_local(router: Space, of: Flow) -> None:
    found = arriving(router, of)
    assert isinstance(found, Way) and found.local


def test_what_arrives_for_another_is_forwarded_only_where_that_is_on(router: Space) -> None:
    refused = arriving(router, flow("10.1.0.1", "10.0.0.7"))
    assert isinstance(refused, NoWay) and refused.errno == errno.EHOSTUNREACH
    assert refused.route is not None and not refused.refused_by_route
    router.sh("sysctl -q net.ipv4.ip_forward=1")
    try:
        found = arriving(router, flow("10.1.0.1", "10.0.0.7"))
        assert isinstance(found, Way)
        assert (found.interface, found.via, found.local) == ("eth0", "10.0.0.2", False)
        assert words(found)[1] == MAIN
        by_rule = arriving(router, flow("10.7.0.1", "10.0.0.7"))
        assert isinstance(by_rule, NoWay) and by_rule.refused_by_route
        assert words(by_rule) == ("", "102: from all to 10.7.0.0/16 iif eth0 unreachable")
    finally:
        router.sh("sysctl -q net.ipv4.ip_forward=0")


@pytest.mark.parametrize("setting", ["all", "eth0"])
def test_reverse_path_filtering_is_no_refusing_route(router: Space, setting: str) -> None:
    router.sh(f"sysctl -q net.ipv4.conf.{setting}.rp_filter=1")
    try:
        found = arriving(router, flow("10.0.0.1", "203.0.113.1"))
        assert isinstance(found, NoWay) and found.errno in (errno.EINVAL, errno.EXDEV)
        assert found.route is not None and (found.route.type, found.refused_by_route) == ("local", False)
    finally:
        router.sh(f"sysctl -q net.ipv4.conf.{setting}.rp_filter=0")


def test_a_rule_that_looks_at_more_than_a_flow_says_leaves_the_rule_unknown(router: Space) -> None:
    router.sh("ip rule add realms 5 lookup 77 pref 50")
    try:
        refused = out(router, flow("10.0.0.9"))
        assert isinstance(refused, NoWay) and (refused.rule, refused.route) == (None, None)
    finally:
        router.sh("ip rule del pref 50")


def test_a_socket_bound_to_an_interface_is_asked_for(router: Space) -> None:
    router.sh("ip rule add oif eth1 lookup 78 pref 60; ip route add 10.9.0.0/16 dev eth1 table 78")
    try:
        found = out(router, flow("10.9.0.7", bound_to="eth1"))
        assert words(found) == ("10.9.0.0/16 dev eth1 table 78", "60: from all oif eth1 lookup 78")
    finally:
        router.sh("ip rule del pref 60")


def test_an_interface_that_is_not_there_is_an_error(router: Space) -> None:
    def look() -> int | None:
        try:
            route_in(flow("10.0.0.1", "10.0.0.7"), "nowhere0")
        except OSError as error:
            return error.errno
        return None

    assert router.ask(look) == errno.ENODEV


def test_a_socket_bound_to_an_interface_sends_there_without_a_route(router: Space) -> None:
    found = out(router, flow("11.0.0.1", bound_to="eth1"))
    assert isinstance(found, Way) and (found.interface, found.route, found.rule) == ("eth1", None, None)


def test_the_mtu_that_a_router_has_told_is_that_of_the_way(space: Space) -> None:
    def emigrate() -> bool:
        unshare(CLONE_NEWNET)
        return True

    with space.holding(emigrate) as pid:
        space.sh(
            f"""ip link add name eth0 type veth peer name eth1 netns {pid}; ip link set eth0 up
            ip addr add 10.0.0.1/24 dev eth0; ip route add 10.1.0.0/24 via 10.0.0.2; nsenter -t {pid} -n sh -ec '
            ip link add name far type veth peer name end; ip link set far mtu 1300
            for name in eth1 far end; do ip link set $name up; done
            ip addr add 10.0.0.2/24 dev eth1; ip addr add 10.1.0.1/24 dev far
            echo 1 > /proc/sys/net/ipv4/ip_forward'"""
        )
        before = out(space, flow("10.1.0.9"))
        space.sh("ping -q -c1 -W1 -M do -s 1400 10.1.0.9 || true")
        after, other = out(space, flow("10.1.0.9")), out(space, flow("10.1.0.8"))
    assert isinstance(before, Way) and isinstance(after, Way) and isinstance(other, Way)
    assert (before.mtu, after.mtu, other.mtu) == (None, 1300, None)
    assert after.route == before.route


def test_where_no_rule_was_made_an_address_of_ours_is_in_the_local_table_too(space: Space) -> None:
    assert words(out(space, flow("127.0.0.1"))) == (
        "local 127.0.0.1/32 dev lo table local src 127.0.0.1",
        "0: from all lookup local",
    )
