"""What goes wrong on either side of a router that translates addresses, as its file says."""

from __future__ import annotations

from labctl.diagnosis.reasons import Reason
from tests.diagnosis.fault import Accepted, Edit, Fault, at, rule


def fault(name: str, check: str, expected: Accepted, *inject: tuple[str, str]) -> Fault:
    """Return a fault of the lab that masquerades."""
    return Fault(f"behind NAT: {name}", "nat", check, expected, inject)


def redirected(name: str, check: str, expected: Accepted, *inject: tuple[str, str]) -> Fault:
    """Return a fault of the lab whose ruleset redirects."""
    return Fault(f"redirected: {name}", "dnat", check, expected, inject)


def written(name: str, check: str, expected: Accepted, right: str, wrong: str) -> Fault:
    """Return a mistake in that ruleset."""
    return Fault(f"ruleset: {name}", "dnat", check, expected, edits=(Edit(right, wrong),), lines=("nft:", wrong))


FAULTS = (
    fault(
        "server ignores echo requests",
        "out",
        at("server:eth0", why=Reason.ECHO_IGNORED),
        ("server", "sysctl -qw net.ipv4.icmp_echo_ignore_all=1"),
    ),
    fault(
        "server drops", "udp", at("server:eth0", why=Reason.FIREWALL), ("server", rule("input", "udp dport 8000 drop"))
    ),
    fault(
        "server refuses the router",
        "out",
        at("server:eth0", why=Reason.ROUTE_REJECTS),
        ("server", "ip route add blackhole 192.0.2.1/32"),
    ),
    fault(
        "server sends to a wrong hardware address",
        "out",
        at("server:eth0", why=Reason.NEIGHBOUR_WRONG),
        ("server", "ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:99 dev eth0 nud permanent"),
    ),
    fault("router masquerades no more", "tcp", at("r:b", why=Reason.NAT), ("r", "nft flush ruleset")),
    fault(
        "router does not forward",
        "out",
        at("r:a", why=Reason.FORWARDING_OFF),
        ("r", "sysctl -qw net.ipv4.ip_forward=0"),
    ),
    fault(
        "router drops the replies",
        "out",
        at("r:b", why=Reason.FIREWALL),
        ("r", rule("forward", "icmp type echo-reply drop")),
    ),
    fault(
        "router drops answers before it knows whose they are",
        "tcp",
        at("r:b", why=Reason.FIREWALL),
        ("r", rule("prerouting", "tcp sport 8000 drop")),
    ),
    fault(
        "host drops the answers",
        "tcp",
        at("host:eth0", why=Reason.FIREWALL),
        ("host", rule("input", "tcp sport 8000 drop")),
    ),
    fault(
        "router's link is narrow",
        "large",
        at("r:b", why=(Reason.MTU, Reason.MTU_BLACK_HOLE)),
        ("r", "ip link set dev b mtu 600"),
    ),
    fault(
        "another program has the port of the server",
        "tcp",
        at("server:eth0", why=Reason.OTHER_LISTENER),
        ("server", "program tcp 198.51.100.1 8000"),
    ),
    redirected(
        "host ignores echo requests",
        "in",
        at("host:eth0", why=Reason.ECHO_IGNORED),
        ("host", "sysctl -qw net.ipv4.icmp_echo_ignore_all=1"),
    ),
    redirected("host has no route back", "in", at("host:eth0", why=Reason.NO_ROUTE), ("host", "ip route del default")),
    redirected(
        "router drops the replies",
        "in",
        at("r:a", why=Reason.FIREWALL),
        ("r", rule("forward", "icmp type echo-reply drop")),
    ),
    redirected(
        "router does not forward", "in", at("r:b", why=Reason.FORWARDING_OFF), ("r", "sysctl -qw net.ipv4.ip_forward=0")
    ),
    redirected(
        "the outside refuses the router",
        "out",
        at("out:eth0", why=Reason.ROUTE_REJECTS),
        ("out", "ip route add blackhole 192.0.2.1"),
    ),
    redirected(
        "host drops the replies",
        "out",
        at("host:eth0", why=Reason.FIREWALL),
        ("host", rule("input", "icmp type echo-reply drop")),
    ),
    written("drops", "out", at("r:a", "r:b", why=Reason.FIREWALL), "udp dport 99 drop", "icmp type echo-request drop"),
    written(
        "redirects to a host that is not there",
        "in",
        at("r:a", "r:b", why=(Reason.ADDRESS_MISSING, Reason.NAT, Reason.NEIGHBOUR_FAILED)),
        "ip protocol icmp dnat to 10.0.1.2",
        "ip protocol icmp dnat to 10.0.1.3",
    ),
)
