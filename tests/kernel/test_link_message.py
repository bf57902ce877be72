"""What is read of the message of an interface, against what pyroute2, ip(8) and /proc/sys say."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from labctl.kernel import options, sysctls
from labctl.kernel import rtnetlink as rt
from labctl.kernel.link_message import (
    IFLA_LINK,
    IFLA_MASTER,
    IFLA_MTU,
    IFLA_TXQLEN,
    LinkMessage,
    link_messages,
    loopback,
)
from labctl.kernel.links import counters
from labctl.kernel.links import links as told_links
from labctl.plan.settings import OF_INTERFACES
from tests.kernel.space import Space

ALL_KINDS = """
ip link add br0 type bridge stp_state 0 mcast_snooping 0
ip link add a0 type veth peer name b0
ip link set a0 master br0 mtu 1400 alias 'a name, with ü' txqueuelen 77 multicast off up
ip link set b0 up arp off
bridge link set dev a0 hairpin on learning off
ip tuntap add tun0 mode tun; ip tuntap add tap0 mode tap
for name in a0 br0 tun0; do
    sysctl -qw net.ipv4.conf.$name.rp_filter=2 net.ipv4.conf.$name.arp_ignore=1 net.ipv4.conf.$name.arp_announce=2 \
        net.ipv4.conf.$name.arp_filter=1 net.ipv4.conf.$name.proxy_arp=1 net.ipv4.conf.$name.accept_local=1 \
        net.ipv4.conf.$name.route_localnet=1 net.ipv6.conf.$name.disable_ipv6=1 net.ipv6.conf.$name.proxy_ndp=1
done
"""


@pytest.fixture(scope="module")
def of_all_kinds(shared: Space) -> Space:
    """A namespace with interfaces of every kind."""
    shared.sh(ALL_KINDS)
    return shared


def as_pyroute2_has_them() -> list[dict[str, Any]]:
    with closing(rt.Rtnetlink()) as netlink:
        netlink._send(rt.RTM_GETLINK, bytes(16), rt.NLM_F_DUMP)
        messages = [ifinfmsg(message) for _, message in netlink._replies()]
    for message in messages:
        message.decode()
    return [
        {
            "index": message["index"],
            "flags": message["flags"],
            "name": message.get_attr("IFLA_IFNAME"),
            "mac": message.get_attr("IFLA_ADDRESS") or "",
            "alias": message.get_attr("IFLA_IFALIAS") or "",
            "mtu": message.get_attr("IFLA_MTU"),
            "queue": message.get_attr("IFLA_TXQLEN"),
            "master": message.get_attr("IFLA_MASTER"),
            "link": message.get_attr("IFLA_LINK"),
            "kind": message.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") or "lo",
        }
        for message in messages
    ]


def read() -> list[LinkMessage]:
    with closing(rt.Rtnetlink()) as netlink:
        return link_messages(netlink)


def as_we_read_it(link: LinkMessage) -> dict[str, Any]:
    numbers = {"mtu": IFLA_MTU, "queue": IFLA_TXQLEN, "master": IFLA_MASTER, "link": IFLA_LINK}
    return {
        "index": link.index, "flags": link.flags, "name": link.name, "mac": link.mac, "alias": link.alias,
        "kind": link.kind, **{name: link.number(attribute) for name, attribute in numbers.items()},
    }  # fmt: skip


def test_every_kind_of_interface_is_read_as_pyroute2_reads_it(of_all_kinds: Space) -> None:
    found = list(map(as_we_read_it, of_all_kinds.ask(read)))
    assert found == of_all_kinds.ask(as_pyroute2_has_them)
    assert {each["name"] for each in found} == {"lo", "br0", "a0", "b0", "tun0", "tap0"}
    of_lo = of_all_kinds.ask(lambda: as_we_read_it(_loopback()))
    assert of_lo == found[0] and of_lo["kind"] == "lo"


def _loopback() -> LinkMessage:
    with closing(rt.Rtnetlink()) as netlink:
        return loopback(netlink)


def test_settings_are_those_of_proc_sys(of_all_kinds: Space) -> None:
    found = {path: value for link in of_all_kinds.ask(read) for path, value in sysctls.of_link(link).items()}
    assert len(found) == 6 * sum(map(len, OF_INTERFACES.values()))
    assert found == of_all_kinds.ask(lambda: sysctls.read(found))


def test_options_are_those_that_ip_shows(of_all_kinds: Space) -> None:
    found = {link.name: options.of_link(link) for link in of_all_kinds.ask(read)}
    shown = {each["ifname"]: each for each in json.loads(of_all_kinds.sh("ip -d -j link"))}
    for name, said in found.items():
        assert said["txqueuelen"] == str(shown[name].get("txqlen", 0))
        assert said["arp"] == ("off" if "NOARP" in shown[name]["flags"] else "on")
        assert said["multicast"] == ("on" if "MULTICAST" in shown[name]["flags"] else "off")
        assert said["carrier"] == ("on" if "LOWER_UP" in shown[name]["flags"] else "off")
        assert (said["xdpgeneric"], said["xdpdrv"]) == ("off", "off")
    bridge, port = (shown[name]["linkinfo"] for name in ("br0", "a0"))
    for word in ("stp_state", "vlan_filtering", "mcast_snooping"):
        assert found["br0"][f"type bridge {word}"] == str(bridge["info_data"][word])
    for word in ("hairpin", "guard", "learning", "flood", "isolated", "locked"):
        assert found["a0"][f"type bridge_slave {word}"] == ("on" if port["info_slave_data"][word] else "off"), word
    assert not any(key.startswith("type") for key in found["b0"])


def test_who_follows_a_lab_is_told_of_the_same_interfaces(of_all_kinds: Space) -> None:
    def followed() -> tuple[set[str], set[int]]:
        with closing(rt.Rtnetlink()) as netlink:
            return {link.name for link in told_links(netlink).values()}, {index for index, _ in counters(netlink)}

    names, indexes = of_all_kinds.ask(followed)
    links = of_all_kinds.ask(read)
    assert names == {link.name for link in links} and indexes == {link.index for link in links}
    assert all(link.family == socket.AF_UNSPEC for link in links)
