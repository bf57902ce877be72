"""What goes wrong on either side of a router that masquerades, as its file says."""

from __future__ import annotations

from labctl.diagnosis.reasons import Reason
from tests.diagnosis.fault import Accepted, Commands, Fault, at, rule


def fault(name: str, check: str, expected: Accepted, *inject: tuple[str, str]) -> Fault:
    """Return a fault of the lab with NAT."""
    commands: Commands = inject
    return Fault(f"behind NAT: {name}", "nat", check, expected, commands)


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
)
