"""Settings below /proc/sys, of this thread's namespace; those of an interface also come with its message."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Collection, Iterable, Iterator

from labctl.errors import MachineError, kernel_words
from labctl.kernel.link_message import IFLA_AF_SPEC, LinkMessage

ON_THE_WAY = (
    *("net/ipv4/ip_forward", "net/ipv4/ip_default_ttl", "net/ipv4/ip_no_pmtu_disc", "net/ipv4/min_pmtu"),
    *("net/ipv4/ip_forward_use_pmtu", "net/ipv4/ip_nonlocal_bind", "net/ipv4/ip_local_port_range"),
    *("net/ipv4/ip_local_reserved_ports", "net/ipv4/ip_unprivileged_port_start", "net/ipv4/ping_group_range"),
    *("net/ipv4/icmp_echo_ignore_all", "net/ipv4/icmp_echo_ignore_broadcasts", "net/ipv4/icmp_ratelimit"),
    *("net/ipv4/icmp_ratemask", "net/ipv4/icmp_errors_use_inbound_ifaddr", "net/ipv4/ipfrag_high_thresh"),
    *("net/ipv4/ipfrag_time", "net/ipv4/fib_multipath_hash_policy", "net/ipv4/fwmark_reflect"),
    *("net/ipv4/udp_rmem_min", "net/ipv4/tcp_syncookies", "net/ipv4/ip_early_demux"),
    *("net/ipv6/bindv6only", "net/ipv6/ip_nonlocal_bind", "net/ipv6/ip6frag_high_thresh", "net/ipv6/ip6frag_time"),
    *("net/ipv6/icmp/echo_ignore_all", "net/ipv6/icmp/echo_ignore_multicast", "net/ipv6/icmp/echo_ignore_anycast"),
    *("net/ipv6/icmp/ratelimit", "net/ipv6/icmp/ratemask", "net/ipv6/fib_multipath_hash_policy"),
    *("net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"),
    *("net/netfilter/nf_conntrack_max", "net/netfilter/nf_conntrack_count"),
)
"""What a namespace can lose packets by, by path below /proc/sys (ip-sysctl of the kernel's documentation)."""

AT_AN_INTERFACE = {
    "net/ipv4/conf": (
        *("forwarding", "rp_filter", "accept_local", "route_localnet", "src_valid_mark", "log_martians"),
        *("arp_ignore", "arp_filter", "arp_announce", "arp_accept", "proxy_arp", "drop_gratuitous_arp"),
        *("drop_unicast_in_l2_multicast", "ignore_routes_with_linkdown", "accept_source_route", "send_redirects"),
        *("bc_forwarding", "disable_policy", "disable_xfrm"),
    ),
    "net/ipv6/conf": (
        *("disable_ipv6", "forwarding", "force_forwarding", "hop_limit", "mtu", "accept_dad", "dad_transmits"),
        *("proxy_ndp", "drop_unsolicited_na", "drop_unicast_in_l2_multicast", "ignore_routes_with_linkdown"),
        *("accept_source_route", "seg6_enabled", "disable_policy", "accept_ra"),
    ),
    "net/ipv4/neigh": ("mcast_solicit", "ucast_solicit", "app_solicit", "unres_qlen_bytes"),
    "net/ipv6/neigh": ("mcast_solicit", "ucast_solicit", "app_solicit", "unres_qlen_bytes"),
}
"""The same of an interface, by name below that path and the interface's; of `all` too, but for neighbours."""

_CONF = {"ipv4": (IFLA_AF_SPEC, socket.AF_INET, 1), "ipv6": (IFLA_AF_SPEC, socket.AF_INET6, 2)}
"""Where a message has the settings of an interface (IFLA_INET_CONF, IFLA_INET6_CONF): numbers, one after the other."""

_DEVCONF = {
    "ipv4": {
        "forwarding": 0, "proxy_arp": 2, "rp_filter": 7, "arp_filter": 12, "arp_announce": 17, "arp_ignore": 18,
        "accept_local": 22, "route_localnet": 25,
    },
    "ipv6": {"forwarding": 0, "proxy_ndp": 22, "disable_ipv6": 26},
}  # fmt: skip
"""Which of these numbers a setting is: IPV4_DEVCONF_* of linux/ip.h less one, DEVCONF_* of linux/ipv6.h."""

_NUMBER = struct.Struct("=i")


def read(paths: Iterable[str]) -> dict[str, str | None]:
    """Return the settings that are there, by their path; None for what can only be written."""
    return dict(_read(paths))


def _read(paths: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    for path in paths:
        try:
            with open(f"/proc/sys/{path}") as file:
                yield path, " ".join(file.read().split())
        except PermissionError:
            yield path, None
        except OSError:
            continue


def on_the_way(interfaces: Collection[str]) -> dict[str, str]:
    """Return the settings that packets can be lost by in this thread's namespace and at these interfaces, by path.

    What this kernel does not have, or does not let one read, is left out.
    """
    at_interfaces = (
        f"{top}/{interface}/{setting}"
        for top, settings in AT_AN_INTERFACE.items()
        for interface in (*interfaces, *(("all",) if top.endswith("conf") else ()))
        for setting in settings
    )
    return {path: value for path, value in _read((*ON_THE_WAY, *at_interfaces)) if value is not None}


def write(path: str, value: str) -> None:
    """Set a setting; one that has this value already is well, whether it can be written or not.

    Raise MachineError where /proc/sys is read-only, OSError for what else the kernel refuses.
    """
    try:
        with open(f"/proc/sys/{path}", "w") as file:
            file.write(value)
    except OSError as error:
        found = read([path]).get(path)
        if found == " ".join(value.split()):
            return
        if error.errno != errno.EROFS:
            raise
        raise MachineError(
            f"the setting {path} cannot be made {value}" + (f", it is {found}" if found is not None else ""),
            f"/proc/sys: {kernel_words(error)}",
            "in a container: start it with --privileged; else, as root: mount -o remount,rw /proc/sys",
        ) from None


def of_link(link: LinkMessage) -> dict[str, str | None]:
    """Return the settings of one interface that matter, by their path."""
    name = link.name
    tables = {protocol: link.nested(*way).get(attribute) for protocol, (*way, attribute) in _CONF.items()}
    return {
        f"net/{protocol}/conf/{name}/{setting}": str(_NUMBER.unpack_from(table, _NUMBER.size * place)[0])
        for protocol, table in tables.items()
        if table
        for setting, place in _DEVCONF[protocol].items()
    }
