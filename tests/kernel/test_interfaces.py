"""What an interface says of itself, against what ip(8) and bridge(8) set."""

from __future__ import annotations

import re

import pytest

from labctl.kernel import sysctls
from labctl.kernel.addresses import Address
from labctl.kernel.interfaces import Details, details
from labctl.plan.facts import Neighbour
from tests.e2e.world import eventually
from tests.kernel.space import Space

CABLE = "ip link add name eth0 type veth peer name eth1; ip link set eth0 up; ip link set eth1 up;"


def of(space: Space, interface: str = "eth0") -> Details:
    return space.ask(details)[interface]


def test_flags_are_those_that_ip_shows(space: Space) -> None:
    space.sh(f"{CABLE} ip link set eth0 arp off; ip link set eth1 promisc on")
    for name in ("lo", "eth0", "eth1"):
        shown = re.search("<(.*?)>", space.sh(f"ip link show {name}"))
        assert shown
        assert of(space, name).flags - {"running"} == {word.lower() for word in shown[1].split(",")}


def test_an_interface_whose_other_end_is_down_has_no_lower_up(space: Space) -> None:
    space.sh(f"{CABLE} ip link set eth1 down")
    assert "up" in of(space).flags and "lower_up" not in of(space).flags


def test_addresses_with_what_makes_them_special(space: Space) -> None:
    space.sh(
        f"""{CABLE}
        ip addr add 10.0.0.1/24 broadcast 10.0.0.255 dev eth0; ip addr add 10.0.0.2/24 dev eth0
        ip addr add 10.1.0.1 peer 10.1.0.2/32 dev eth0
        ip addr add 10.2.0.1/24 scope link dev eth0
        ip addr add fd00::1/64 dev eth0 nodad noprefixroute; ip addr add fd00::2/64 dev eth0 nodad preferred_lft 0"""
    )
    found = {address.host: address for address in of(space).addresses}
    assert found["10.0.0.1"] == Address("10.0.0.1", 24, broadcast="10.0.0.255")
    assert found["10.0.0.2"].flags == {"secondary"}
    assert (found["10.1.0.1"].peer, str(found["10.1.0.1"])) == ("10.1.0.2", "10.1.0.1 peer 10.1.0.2/32")
    assert (found["10.2.0.1"].scope, found["10.0.0.1"].scope) == ("link", "global")
    assert found["fd00::1"].flags == {"nodad", "noprefixroute"}
    assert "deprecated" in found["fd00::2"].flags


def test_an_address_is_tentative_until_it_is_known_to_be_the_only_one(space: Space) -> None:
    space.sh(f"{CABLE} sysctl -q net.ipv6.conf.eth0.dad_transmits=100; ip addr add fd00::1/64 dev eth0")
    (tentative,) = (address for address in of(space).addresses if address.host == "fd00::1")
    assert "tentative" in tentative.flags


def test_an_address_that_another_has_failed(space: Space) -> None:
    space.sh(
        f"""{CABLE} ip addr add fd00::1/64 dev eth1 nodad
        sysctl -q net.ipv6.conf.eth0.accept_dad=1; ip addr add fd00::1/64 dev eth0"""
    )

    def failed() -> bool:
        return any("dadfailed" in address.flags for address in of(space).addresses)

    eventually(failed, "the address fails")


def test_neighbours_in_every_state(space: Space) -> None:
    space.sh(
        f"""{CABLE} ip addr add 10.0.0.1/24 dev eth0
        ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent
        ip neigh add 10.0.0.3 lladdr 02:00:00:00:00:03 dev eth0 nud stale
        sysctl -q net.ipv4.neigh.eth0.retrans_time_ms=10
        ping -c1 -W1 10.0.0.9 || true"""
    )
    found = {neighbour.to: neighbour for neighbour in of(space).neighbours}
    assert found["10.0.0.2"] == Neighbour("10.0.0.2", "02:00:00:00:00:02", "permanent")
    assert found["10.0.0.3"] == Neighbour("10.0.0.3", "02:00:00:00:00:03", "stale")
    assert found["10.0.0.9"] == Neighbour("10.0.0.9", "", "failed")


def test_counters_are_those_that_ip_shows(space: Space) -> None:
    space.sh("ping -q -c2 -i0.01 127.0.0.1")
    statistics = of(space, "lo").statistics
    assert (statistics["rx_packets"], statistics["tx_packets"]) == (4, 4)
    assert statistics["rx_bytes"] == 4 * 84
    assert {"rx_dropped", "tx_dropped", "rx_errors", "rx_nohandler"} <= set(statistics)


def test_a_frame_for_another_mac_address_is_counted(space: Space) -> None:
    space.sh(
        f"""{CABLE} ip addr add 10.0.0.1/24 dev eth0
        ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent; ping -c1 -W0.1 10.0.0.2 || true"""
    )
    assert of(space, "eth1").statistics["rx_otherhost_dropped"] == 1


@pytest.mark.parametrize(
    "path, value",
    [
        ("net/ipv4/icmp_echo_ignore_all", "1"),
        ("net/ipv6/icmp/echo_ignore_all", "1"),
        ("net/ipv4/ip_default_ttl", "3"),
        ("net/ipv4/conf/eth0/rp_filter", "2"),
        ("net/ipv4/conf/all/rp_filter", "1"),
        ("net/ipv4/conf/eth0/arp_ignore", "8"),
        ("net/ipv6/conf/eth0/disable_ipv6", "1"),
        ("net/ipv4/neigh/eth0/mcast_solicit", "0"),
        ("net/ipv4/ip_local_port_range", "40000 40001"),
    ],
)
def test_a_setting_is_read_where_it_is_set(space: Space, path: str, value: str) -> None:
    space.sh(f"{CABLE} echo '{value}' > /proc/sys/{path}")
    assert space.ask(lambda: sysctls.on_the_way(["eth0", "eth1"]))[path] == value
