"""Addresses: missing, elsewhere, twice, with a wrong prefix; and what IPv6 does with them."""

from __future__ import annotations

from labctl.diagnosis.reasons import Reason
from tests.diagnosis.fault import Fault, at

DUPLICATE = (Reason.ADDRESS_DUPLICATE, Reason.ANSWERED_BY_ANOTHER)

FAULTS = (
    Fault(
        "far TUN device without its address",
        "two-site",
        "ping-across-a-to-b",
        at("siteB:tun1", why=Reason.ADDRESS_MISSING),
        (("siteB", "ip addr del 10.0.102.1/24 dev tun1"),),
    ),
    Fault(
        "cable without its address at the sender",
        "two-site",
        "underlay",
        at("siteA:wan0", why=Reason.ADDRESS_MISSING),
        (("siteA", "ip addr del 192.0.2.1/30 dev wan0"),),
    ),
    Fault(
        "router without the address that is the gateway",
        "ipv6",
        "underlay",
        at("r:a", why=Reason.ADDRESS_MISSING),
        (("r", "ip addr del 2001:db8:1::ff/64 dev a"),),
    ),
    Fault(
        "engine's own address missing",
        "routed",
        "tunnel",
        at("siteB:lan0", "siteB:wan0", why=Reason.ADDRESS_MISSING),
        (("siteB", "ip addr del 10.0.2.1/24 dev lan0"),),
    ),
    Fault(
        "address moved to another namespace",
        "routed",
        "underlay",
        at("siteB:lan0", "r2:b", "r2:lo", why=(Reason.ADDRESS_ELSEWHERE, *DUPLICATE)),
        (("siteB", "ip addr del 10.0.2.1/24 dev lan0"), ("r2", "ip addr add 10.0.2.1/32 dev lo")),
    ),
    Fault(
        "far address is the sender's own, too",
        "two-site",
        "ping-across-a-to-b",
        at("siteA:lo", "siteA:tun0", why=(Reason.ADDRESS_ELSEWHERE, *DUPLICATE)),
        (("siteA", "ip addr add 10.0.102.1/32 dev lo"),),
    ),
    Fault(
        "next hop is the sender's own, too",
        "two-site",
        "underlay",
        at("siteA:lo", "siteA:wan0", why=(Reason.ADDRESS_ELSEWHERE, *DUPLICATE)),
        (("siteA", "ip addr add 192.0.2.2/32 dev lo"),),
    ),
    Fault(
        "sender's address is the receiver's own, too",
        "two-site",
        "underlay",
        at("siteB:lo", "siteB:wan0", why=(Reason.MARTIAN, Reason.ADDRESS_ELSEWHERE, *DUPLICATE)),
        (("siteB", "ip addr add 192.0.2.1/32 dev lo"),),
    ),
    Fault(
        "third host has the address and spoke last",
        "switch",
        "h1-h2",
        at("h3:eth0", "h2:eth0", why=(Reason.ADDRESS_ELSEWHERE, *DUPLICATE)),
        (
            ("h1", "ping -qc1 10.9.0.2"),
            ("h3", "ip addr add 10.9.0.2/24 dev eth0 && ping -qc1 -I 10.9.0.2 10.9.0.1"),
        ),
    ),
    Fault(
        "prefix too long at the sender",
        "two-site",
        "underlay",
        at("siteA:wan0", why=(Reason.WRONG_PREFIX, Reason.ADDRESS_MISSING)),
        (("siteA", "ip addr del 192.0.2.1/30 dev wan0 && ip addr add 192.0.2.1/32 dev wan0"),),
    ),
    Fault(
        "prefix too long at the receiver",
        "switch",
        "h1-h2",
        at("h2:eth0", why=Reason.WRONG_PREFIX),
        (("h2", "ip addr add 10.9.0.2/31 dev eth0 && ip addr del 10.9.0.2/24 dev eth0"),),
    ),
    Fault(
        "IPv6 off at the far end",
        "ipv6",
        "underlay",
        at("siteB:wan0", why=Reason.IPV6_OFF),
        (("siteB", "sysctl -qw net.ipv6.conf.wan0.disable_ipv6=1"),),
    ),
    Fault(
        "address stays tentative",
        "ipv6",
        "underlay",
        at("siteA:wan0", why=Reason.TENTATIVE),
        (
            (
                "siteA",
                "sysctl -qw net.ipv6.conf.wan0.accept_dad=1 net.ipv6.conf.wan0.dad_transmits=100 && "
                "ip addr del 2001:db8:1::1/64 dev wan0 && "
                "ip addr add 2001:db8:1::1/64 dev wan0",
            ),
        ),
    ),
    Fault(
        "duplicate address detected",
        "ipv6",
        "underlay",
        at("siteA:wan0", "r:a", why=(Reason.DAD_FAILED, Reason.ADDRESS_DUPLICATE)),
        (
            ("siteA", "sysctl -qw net.ipv6.conf.wan0.accept_dad=1 && ip addr del 2001:db8:1::1/64 dev wan0"),
            ("r", "ip addr add 2001:db8:1::1/64 dev a nodad"),
            (
                "siteA",
                "ip addr add 2001:db8:1::1/64 dev wan0 && "
                'timeout 5 sh -c "until ip addr show dev wan0 | grep -q dadfailed; do sleep 0.05; done"',
            ),
        ),
    ),
)
