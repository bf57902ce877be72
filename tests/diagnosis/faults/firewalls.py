"""Firewalls and NAT: nftables at every hook."""

from __future__ import annotations

from labctl.diagnosis.reasons import Reason
from tests.diagnosis.fault import Fault, at, rule

NAT_OR_STRANGER = (Reason.NAT, Reason.STRANGER)

FAULTS = (
    Fault(
        "input drops echo requests",
        "two-site",
        "underlay",
        at("siteB:wan0", why=Reason.FIREWALL),
        (("siteB", rule("input", "icmp type echo-request drop")),),
    ),
    Fault(
        "output drops the tunnel",
        "two-site",
        "ping-across-a-to-b",
        at("siteA:wan0", "siteA:tun0", why=Reason.FIREWALL),
        (("siteA", rule("output", "udp dport 9000 drop")),),
    ),
    Fault(
        "input drops the tunnel",
        "two-site",
        "ping-across-a-to-b",
        at("siteB:wan0", "siteB:tun1", why=Reason.FIREWALL),
        (("siteB", rule("input", "udp dport 9000 counter drop")),),
    ),
    Fault(
        "router's policy is drop",
        "routed",
        "underlay",
        at("r1:a", "r1:b", why=Reason.FIREWALL),
        (
            (
                "r1",
                "nft 'add table inet fw; add chain inet fw f { type filter hook forward priority 0 ; policy drop ; }'",
            ),
        ),
    ),
    Fault(
        "router drops the replies",
        "routed",
        "underlay",
        at("r2:b", "r2:a", why=Reason.FIREWALL),
        (("r2", rule("forward", "icmp type echo-reply drop")),),
    ),
    Fault(
        "router rejects",
        "routed",
        "underlay",
        at("r1:a", "r1:b", why=Reason.FIREWALL),
        (("r1", rule("forward", "ip daddr 10.0.2.0/24 reject with icmp admin-prohibited")),),
    ),
    Fault(
        "prerouting drops a source",
        "two-site",
        "underlay-to-dummy",
        at("siteB:wan0", why=Reason.FIREWALL),
        (("siteB", rule("prerouting", "ip saddr 192.0.2.1 drop", priority=-300)),),
    ),
    Fault(
        "connection is refused by a rule",
        "two-site",
        "hello-over-tcp-a-to-b",
        at("siteB:tun1", why=Reason.FIREWALL),
        (("siteB", rule("input", "tcp dport 8000 reject with tcp reset")),),
    ),
    Fault(
        "no new connections",
        "routed",
        "tcp",
        at("siteB:wan0", why=Reason.FIREWALL),
        (("siteB", rule("input", "ct state new drop")),),
    ),
    Fault(
        "large packets are dropped",
        "routed",
        "large",
        at("siteB:wan0", why=Reason.FIREWALL),
        (("siteB", rule("input", "meta length > 500 drop")),),
    ),
    Fault(
        "netdev drops what comes in",
        "routed",
        "tunnel",
        at("r1:a", why=Reason.FIREWALL),
        (("r1", rule("ingress device a", "ip protocol udp drop", table="netdev")),),
    ),
    Fault(
        "bridge drops what it forwards",
        "switch",
        "h1-h2",
        at("sw:br0", "sw:p1", "sw:p2", why=Reason.FIREWALL),
        (("sw", rule("forward", "ip protocol icmp drop", table="bridge")),),
    ),
    Fault(
        "ARP is dropped",
        "two-site",
        "underlay",
        at("siteB:wan0", why=Reason.FIREWALL),
        (("siteB", rule("input", "drop", table="arp")),),
    ),
    Fault(
        "IPv6 firewall forgets neighbour discovery",
        "ipv6",
        "underlay",
        at("siteB:wan0", why=Reason.FIREWALL),
        (("siteB", rule("input", "icmpv6 type nd-neighbor-solicit drop")),),
    ),
    Fault(
        "masquerade changes the engine's address",
        "two-site",
        "ping-across-a-to-b",
        at("siteA:wan0", "siteB:tun1", why=NAT_OR_STRANGER),
        (("siteA", rule("postrouting", "oif wan0 udp dport 9000 masquerade", "ip", "nat", 100)),),
    ),
    Fault(
        "redirect to another port",
        "two-site",
        "ping-across-a-to-b",
        at("siteB:wan0", "siteB:tun1", why=Reason.NAT),
        (("siteB", rule("prerouting", "udp dport 9000 redirect to :9001", "ip", "nat", -100)),),
    ),
    Fault(
        "router translates the destination",
        "routed",
        "underlay",
        at("r1:a", why=Reason.NAT),
        (("r1", rule("prerouting", "ip daddr 10.0.2.1 dnat to 192.0.2.5", "ip", "nat", -100)),),
    ),
    Fault(
        "output sets the TTL",
        "routed",
        "underlay",
        at("siteA:wan0", "r1:a", why=(Reason.TTL, Reason.FIREWALL)),
        (("siteA", rule("output", "ip ttl set 1")),),
    ),
)
