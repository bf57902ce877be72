"""Messages of interfaces and addresses that are laid out by hand, against a library that knows them all."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from labctl.kernel import addresses, observe, options, sysctls
from labctl.kernel import rtnetlink as rt
from labctl.kernel.link_message import IFLA_INFO_DATA, IFLA_MTU, LinkMessage, all_links, link, new_link
from labctl.plan.settings import OF_INTERFACES
from tests.kernel.space import Space

HEADER = bytes(16)  # nlmsghdr, which the library reads along

INTERFACES = """
    ip link add name eth0 type veth peer name eth1
    ip link set eth0 up mtu 1400 address 02:00:00:00:00:01; ip link set eth1 alias 'the other end' txqueuelen 7
    ip link add name br0 type bridge mcast_snooping 0 stp_state 1; ip link set br0 up
    ip link set eth1 master br0; bridge link set dev eth1 hairpin on learning off isolated on
    ip tuntap add name tun0 mode tun user 0; ip link set tun0 addrgenmode none arp off
    echo 2 > /proc/sys/net/ipv4/conf/eth0/rp_filter; echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet
    echo 1 > /proc/sys/net/ipv4/conf/eth0/arp_ignore; echo 2 > /proc/sys/net/ipv4/conf/eth0/arp_announce
    echo 1 > /proc/sys/net/ipv6/conf/eth0/proxy_ndp; echo 1 > /proc/sys/net/ipv6/conf/eth1/disable_ipv6
"""


def decoded(kind: type[Any], message: bytes) -> Any:
    found = kind((16 + len(message)).to_bytes(4, "little") + HEADER[4:] + message)
    found.decode()
    return found


def ask_all() -> list[bytes]:
    netlink = rt.Rtnetlink()
    try:
        return netlink.messages(rt.RTM_GETLINK, link(0))
    finally:
        netlink.close()


def test_what_the_kernel_tells_of_interfaces_is_read_as_the_library_reads_it(space: Space) -> None:
    space.sh(INTERFACES)
    messages = space.ask(ask_all)
    assert len(messages) == 5
    for message in messages:
        ours, theirs = LinkMessage(message), decoded(ifinfmsg, message)
        info, families = theirs.get_attr("IFLA_LINKINFO"), theirs.get_attr("IFLA_AF_SPEC")
        assert (ours.index, ours.flags, ours.name) == (theirs["index"], theirs["flags"], theirs.get_attr("IFLA_IFNAME"))
        assert ours.alias == (theirs.get_attr("IFLA_IFALIAS") or "")
        assert ours.mac == (theirs.get_attr("IFLA_ADDRESS") or "")
        assert ours.master == (theirs.get_attr("IFLA_MASTER") or 0)
        assert ours.driver == (info.get_attr("IFLA_INFO_KIND") if info else "lo")
        found = observe.link_of(ours)
        assert found.mtu == theirs.get_attr("IFLA_MTU")
        assert found.state == theirs.get_attr("IFLA_OPERSTATE").lower()
        stats = theirs.get_attr("IFLA_STATS64")
        assert vars(found.counters) == {name: stats[name] for name in vars(found.counters)}
        assert found.options["txqueuelen"] == str(theirs.get_attr("IFLA_TXQLEN"))
        inet6 = families.get_attr("AF_INET6")
        tables = {"ipv4": families.get_attr("AF_INET"), "ipv6": inet6.get_attr("IFLA_INET6_CONF") if inet6 else None}
        assert sysctls.of_link(ours) == {
            f"net/{protocol}/conf/{ours.name}/{name}": str(table[{"arp_filter": "arpfilter"}.get(name, name)])
            for protocol, table in tables.items()
            for name in sysctls.IN_MESSAGE[protocol]
            if table
        }


def test_what_was_set_is_found(space: Space) -> None:
    space.sh(INTERFACES)
    found = {told.name: told for told in map(LinkMessage, space.ask(ask_all))}
    port, bridge = options.of_link(found["eth1"]), options.of_link(found["br0"])
    assert (port["txqueuelen"], found["eth1"].alias) == ("7", "the other end")
    assert {name: port[f"type bridge_slave {name}"] for name in ("hairpin", "learning", "isolated", "flood")} == {
        "hairpin": "on",
        "learning": "off",
        "isolated": "on",
        "flood": "on",
    }
    assert (bridge["type bridge mcast_snooping"], bridge["type bridge stp_state"]) == ("0", "1")
    tun = observe.link_of(found["tun0"])
    assert (tun.kind, tun.mac, tun.addrgenmode, tun.options["arp"]) == ("tun", "", "none", "off")
    set_ = sysctls.of_link(found["eth0"])
    assert [set_[f"net/ipv4/conf/eth0/{name}"] for name in ("rp_filter", "route_localnet", "arp_ignore")] == [*"211"]
    assert (set_["net/ipv4/conf/eth0/arp_announce"], set_["net/ipv6/conf/eth0/proxy_ndp"]) == ("2", "1")


def test_the_settings_that_a_plan_compares_are_in_the_message() -> None:
    assert {protocol: {*names} for protocol, names in sysctls.IN_MESSAGE.items()} == {
        protocol: {*names} for protocol, names in OF_INTERFACES.items()
    }


def test_an_interface_is_asked_for_as_the_library_reads_it() -> None:
    theirs = decoded(ifinfmsg, new_link("br0", "bridge", 7, rt.attribute(23, b"\1")))
    info = theirs.get_attr("IFLA_LINKINFO")
    assert (theirs["index"], theirs.get_attr("IFLA_IFNAME")) == (7, "br0")
    assert info.get_attr("IFLA_INFO_KIND") == "bridge"
    assert info.get_attr("IFLA_INFO_DATA").get_attr("IFLA_BR_MCAST_SNOOPING") == 1
    theirs = decoded(ifinfmsg, link(3, rt.u32(IFLA_MTU, 1400), flags=1, change=1))
    assert (theirs["index"], theirs["flags"], theirs["change"], theirs.get_attr("IFLA_MTU")) == (3, 1, 1, 1400)
    assert IFLA_INFO_DATA not in LinkMessage(new_link("br0", "bridge")).info


@pytest.mark.parametrize(
    ("text", "scope", "flags"), [("10.0.0.1/24", 0, None), ("127.0.0.2/8", 254, None), ("fd00::1/64", 0, 0x02)]
)
def test_an_address_is_asked_for_as_the_library_reads_it(text: str, scope: int, flags: int | None) -> None:
    address = ipaddress.ip_interface(text)
    theirs = decoded(ifaddrmsg, addresses.encoded(7, address, address.ip))
    assert (theirs["index"], theirs["prefixlen"], theirs["scope"]) == (7, address.network.prefixlen, scope)
    assert theirs.get_attr("IFA_LOCAL") == theirs.get_attr("IFA_ADDRESS") == str(address.ip)
    assert theirs.get_attr("IFA_FLAGS") == flags


def test_the_other_end_of_an_address_is_what_its_prefix_is_of() -> None:
    message = addresses.encoded(7, ipaddress.ip_interface("10.0.0.2/32"), ipaddress.ip_address("10.0.0.1"))
    theirs = decoded(ifaddrmsg, message)
    assert (theirs.get_attr("IFA_LOCAL"), theirs.get_attr("IFA_ADDRESS")) == ("10.0.0.1", "10.0.0.2")


def test_all_interfaces_are_told_of(space: Space) -> None:
    def names() -> list[str]:
        netlink = rt.Rtnetlink()
        try:
            return [told.name for told in all_links(netlink)]
        finally:
            netlink.close()

    space.sh("ip link add name eth0 type veth peer name eth1")
    assert sorted(space.ask(names)) == ["eth0", "eth1", "lo"]
