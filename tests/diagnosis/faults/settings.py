"""Settings and sizes: forwarding, reverse path filter, echo, TTL, MTU."""

from __future__ import annotations

from labctl.diagnosis.reasons import Reason
from tests.diagnosis.fault import Fault, at, rule

SIZE = (Reason.MTU, Reason.MTU_BLACK_HOLE)

FAULTS = (
    Fault(
        "router does not forward",
        "routed",
        "underlay",
        at("r1:a", why=Reason.FORWARDING_OFF),
        (("r1", "sysctl -qw net.ipv4.ip_forward=0"),),
    ),
    Fault(
        "router does not forward what comes in at one side",
        "routed",
        "tunnel",
        at("r2:a", why=Reason.FORWARDING_OFF),
        (("r2", "sysctl -qw net.ipv4.conf.a.forwarding=0"),),
    ),
    Fault(
        "router does not forward IPv6",
        "ipv6",
        "underlay",
        at("r:a", why=Reason.FORWARDING_OFF),
        (("r", "sysctl -qw net.ipv6.conf.all.forwarding=0"),),
    ),
    Fault(
        "reverse path filter at the end of the tunnel",
        "two-site",
        "ping-across-a-to-b",
        at("siteB:tun1", why=Reason.RP_FILTER) | at("siteA:tun0", why=Reason.WRONG_SOURCE),
        (
            ("siteB", "sysctl -qw net.ipv4.conf.tun1.rp_filter=1"),
            ("siteA", "ip route replace 10.0.102.0/24 dev tun0 src 10.0.1.1"),
        ),
    ),
    Fault(
        "reverse path filter at a router with another way back",
        "routed",
        "tunnel",
        at("r1:a", "r1:b", why=(Reason.RP_FILTER, Reason.ROUTE_ELSEWHERE, Reason.WRONG_NEXT_HOP)),
        (
            ("r1", "sysctl -qw net.ipv4.conf.all.rp_filter=1"),
            ("r1", "ip route add 10.0.1.1/32 via 192.0.2.6"),
        ),
    ),
    Fault(
        "echo ignored",
        "two-site",
        "underlay",
        at("siteB:wan0", why=Reason.ECHO_IGNORED),
        (("siteB", "sysctl -qw net.ipv4.icmp_echo_ignore_all=1"),),
    ),
    Fault(
        "echo ignored in IPv6",
        "ipv6",
        "underlay",
        at("siteB:wan0", why=Reason.ECHO_IGNORED),
        (("siteB", "sysctl -qw net.ipv6.icmp.echo_ignore_all=1"),),
    ),
    Fault(
        "TTL too small for the way",
        "routed",
        "underlay",
        at("siteA:wan0", "r1:a", "r2:a", why=Reason.TTL),
        (("siteA", "sysctl -qw net.ipv4.ip_default_ttl=2"),),
    ),
    Fault(
        "narrow link behind a router",
        "routed",
        "large",
        at("r1:b", why=Reason.MTU),
        (("r1", "ip link set dev b mtu 1300"),),
    ),
    Fault(
        "narrow link behind a router that does not say so",
        "routed",
        "large",
        at("r1:b", why=(*SIZE, Reason.ICMP_FILTERED, Reason.FIREWALL)),
        (
            ("r1", "ip link set dev b mtu 1300"),
            ("r1", rule("output", "icmp type destination-unreachable drop")),
        ),
    ),
    Fault(
        "receiver takes no frames of this size",
        "routed",
        "large",
        at("siteB:wan0", "r2:b", why=SIZE),
        (("siteB", "ip link set wan0 mtu 1200"),),
    ),
    Fault(
        "narrow port of a switch",
        "switch",
        "large",
        at("sw:p2", "sw:br0", "h2:eth0", why=SIZE),
        (("sw", "ip link set p2 mtu 1300"),),
    ),
    Fault(
        "narrow link behind a router in IPv6",
        "ipv6",
        "large",
        at("r:b", why=SIZE),
        (("r", "ip link set dev b mtu 1280"),),
    ),
)
