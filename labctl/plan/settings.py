"""Settings that no file names and that decide whether a packet of a lab comes through.

Each has the value that a new namespace has from the kernel, whatever the machine has: of IPv4 a namespace would inherit
what the machine has for all interfaces and for new ones (net/ipv4/devconf.c: devinet_init_net()), so a namespace of a
lab gets rid of that when it is created. What a file does set is followed: a setting of all interfaces, or of new ones,
changes what is expected of each (Documentation/networking/ip-sysctl.rst).

The few that hosts often have otherwise are steps of every plan: the baseline.
"""

from __future__ import annotations

from collections.abc import Iterator

from labctl.plan.facts import Namespace
from labctl.plan.steps.namespaces import SetSysctl, same_value
from labctl.topology import model
from labctl.topology.values import SAME_SYSCTL, sysctl_parts

# On a host that forwards, as every container host does, a lab would forward too, and a silent neighbour would answer.
BASELINE = {
    "net/ipv4/ip_forward": "0",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
}
# The rules of the file see to it that no address of a lab is used twice on a link, and no router is asked for one:
# neither duplicate address detection (RFC 4862 5.4), which keeps an address from use for a second, nor solicitations,
# which blur every count.
BASELINE_OF_IPV6 = {
    "net/ipv6/conf/all/disable_ipv6": "0",
    "net/ipv6/conf/default/disable_ipv6": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/router_solicitations": "0",
}
OF_INTERFACES = {
    "ipv4": {
        "forwarding": "0",
        "rp_filter": "0",
        "accept_local": "0",
        "route_localnet": "0",
        "arp_filter": "0",
        "arp_ignore": "0",
        "arp_announce": "0",
        "proxy_arp": "0",
    },
    "ipv6": {"forwarding": "0", "disable_ipv6": "0", "proxy_ndp": "0"},
}
"""What each interface has, by protocol, and by name below net/PROTOCOL/conf/INTERFACE."""

_OF_ALL = ("accept_local", "route_localnet", "arp_filter", "arp_ignore", "arp_announce", "proxy_arp")
BORN_WITH = {
    "net/ipv4/conf/default/forwarding": "0",
    **{f"net/ipv4/conf/{which}/{setting}": "0" for which in ("all", "default") for setting in _OF_ALL},
}
"""What a new namespace would inherit, beside the baseline, and what it is born with in a lab."""

_OF_NAMESPACE = {
    **{f"net/ipv4/conf/all/{setting}": "0" for setting in _OF_ALL},
    "net/ipv4/icmp_echo_ignore_all": "0",
    "net/ipv4/icmp_echo_ignore_broadcasts": "1",
    "net/ipv4/ip_default_ttl": "64",
    "net/ipv4/ip_nonlocal_bind": "0",
    "net/ipv4/ipfrag_high_thresh": "4194304",
}
_OF_NAMESPACE_WITH_IPV6 = {
    "net/ipv6/icmp/echo_ignore_all": "0",
    "net/ipv6/ip_nonlocal_bind": "0",
    "net/ipv6/ip6frag_high_thresh": "4194304",
    "net/ipv6/conf/all/forwarding": "0",
    "net/ipv6/conf/all/proxy_ndp": "0",
}
_RULED_BY = {
    ("ipv4", "forwarding"): "net/ipv4/ip_forward",
    ("ipv6", "forwarding"): "net/ipv6/conf/all/forwarding",
    ("ipv6", "disable_ipv6"): "net/ipv6/conf/all/disable_ipv6",
}
"""Settings of all interfaces that are carried over to each one when they are changed."""

_SAME_NAME = {other: path for path, other in SAME_SYSCTL.items()}


def of_file(space: model.Namespace) -> dict[str, str]:
    """Return the settings of the file by their path below /proc/sys, in which a dot is a dot."""
    return {"/".join(sysctl_parts(key)): value for key, value in space.sysctls.items()}


def baseline(space: model.Namespace) -> dict[str, str]:
    """Return what a namespace of a lab gets in any case, but for what its file says."""
    asked = of_file(space)
    found = {path: value for path, value in BASELINE.items() if SAME_SYSCTL.get(path) not in asked}
    return found | (BASELINE_OF_IPV6 if _has_ipv6(space) else {})


def kept(space: model.Namespace) -> dict[str, str]:
    """Return what a namespace as a whole is to have and no desired step sets."""
    found = _OF_NAMESPACE | (_OF_NAMESPACE_WITH_IPV6 if _has_ipv6(space) else {})
    return {path: value for path, value in found.items() if path not in of_file(space)}


def changed(name: str, space: model.Namespace, there: Namespace) -> Iterator[SetSysctl]:
    """Yield the steps that set back what was changed by hand, of the namespace and of each of its interfaces."""
    for path, value in {**kept(space), **_of_interfaces(space, there)}.items():
        if path in there.sysctls and not same_value(there.sysctls[path], value):
            yield SetSysctl(name, path, value)


def _of_interfaces(space: model.Namespace, there: Namespace) -> dict[str, str]:
    """Return what each interface that is there is to have, where the file does not say it of that one."""
    asked = of_file(space)
    whole = {_SAME_NAME.get(path, path): value for path, value in {**kept(space), **baseline(space), **asked}.items()}
    found = {}
    for protocol, settings in OF_INTERFACES.items():
        if protocol == "ipv6" and not _has_ipv6(space):
            continue
        for setting, by_itself in settings.items():
            ruler = _RULED_BY.get((protocol, setting), "")
            if there.sysctls.get(ruler) != whole.get(ruler):
                continue  # setting that one back brings these back, too
            of_new = f"net/{protocol}/conf/default/{setting}"
            for interface, link in there.links.items():
                # In IPv6 what new interfaces get is not what `lo` has, which is there before it can be set.
                of_this = (ruler,) if link.kind == "lo" and protocol == "ipv6" else (ruler, of_new)
                last = next((whole[path] for path in reversed(whole) if path in of_this), by_itself)
                found[f"net/{protocol}/conf/{interface}/{setting}"] = last
    return {path: value for path, value in found.items() if path not in asked}


def _has_ipv6(space: model.Namespace) -> bool:
    return any(address.version == 6 for interface in space.interfaces.values() for address in interface.addresses)
