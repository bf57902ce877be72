"""What is still there, and elsewhere: an interface in another namespace or under another name, an address moved."""

from __future__ import annotations

from labctl.diagnosis.reasons import Reason
from tests.diagnosis.fault import Fault, at

MISSING = (Reason.INTERFACE_MISSING,)
ELSEWHERE = (Reason.ADDRESS_ELSEWHERE, Reason.ADDRESS_MISSING)

FAULTS = (
    Fault(
        "host's cable carried off under another name, and up there",
        "switch",
        "h1-h2",
        at("h2:eth0", why=MISSING),
        (("h2", "ip link set eth0 netns h3 name eth9"), ("h3", "ip link set eth9 up")),
    ),
    Fault(
        "TUN device carried off into a router",
        "routed",
        "tunnel",
        at("siteB:tun1", why=MISSING),
        (("siteB", "ip link set tun1 netns r2"),),
    ),
    Fault(
        "cable renamed and left down",
        "two-site",
        "underlay",
        at("siteB:wan0", why=MISSING),
        (("siteB", "ip link set wan0 down && ip link set wan0 name eth9"),),
    ),
    Fault(
        "interface carried out of the lab",
        "two-site",
        "underlay",
        at("siteB:wan0", why=MISSING),
        (("siteB", "unshare -n sleep 60 >/dev/null 2>&1 & sleep 0.2; ip link set wan0 netns $!"),),
    ),
    Fault(
        "cable plugged into another one",
        "two-site",
        "underlay",
        at("siteB:wan0", "siteA:wan0", why=Reason.CABLED_ELSEWHERE),
        (
            (
                "siteB",
                "ip addr flush dev wan0; ip link set wan0 name old && ip link add wan0 type veth peer name stray && "
                "ip link set stray up && ip link set wan0 up && ip addr add 192.0.2.2/30 dev wan0",
            ),
        ),
    ),
    Fault(
        "interfaces of a router swapped",
        "routed",
        "underlay",
        at("r1:a", "r1:b", why=(Reason.CABLED_ELSEWHERE, *ELSEWHERE)),
        (
            (
                "r1",
                "ip link set dev a down; ip link set dev b down; ip link set dev a name x; ip link set dev b name a; "
                "ip link set dev x name b; ip link set dev a up; ip link set dev b up",
            ),
        ),
    ),
    Fault(
        "sender's address on its TUN device",
        "switch",
        "h1-h2",
        at("h1:eth0", "h1:tun0", why=ELSEWHERE),
        (("h1", "ip addr del 10.9.0.1/24 dev eth0 && ip addr add 10.9.0.1/24 dev tun0"),),
    ),
    Fault(
        "far address on loopback",
        "two-site",
        "underlay",
        at("siteB:wan0", "siteB:lo", why=ELSEWHERE),
        (("siteB", "ip addr del 192.0.2.2/30 dev wan0 && ip addr add 192.0.2.2/30 dev lo"),),
    ),
    Fault(
        "gateway's address on its other interface",
        "routed",
        "gateway",
        at("r1:a", "r1:b", why=ELSEWHERE),
        (("r1", "ip addr del 192.0.2.2/30 dev a && ip addr add 192.0.2.2/30 dev b"),),
    ),
    Fault(
        "IPv6 address on the TUN device",
        "ipv6",
        "underlay-back",
        at("siteA:wan0", "siteA:tun0", why=ELSEWHERE),
        (("siteA", "ip addr del 2001:db8:1::1/64 dev wan0 && ip addr add 2001:db8:1::1/64 dev tun0"),),
    ),
    Fault(
        "IPv6 gateway's address on its other interface",
        "ipv6",
        "underlay",
        at("r:a", "r:b", why=ELSEWHERE),
        (("r", "ip addr del 2001:db8:1::ff/64 dev a && ip addr add 2001:db8:1::ff/64 dev b nodad"),),
    ),
    Fault(
        "tunnel's address on loopback",
        "two-site",
        "ping-across-a-to-b",
        at("siteA:tun0", "siteA:lo", why=(*ELSEWHERE, Reason.WRONG_SOURCE)),
        (("siteA", "ip addr del 10.0.101.1/24 dev tun0 && ip addr add 10.0.101.1/24 dev lo"),),
    ),
    Fault(
        "second address brings a more specific network",
        "switch",
        "h1-h2",
        at("h1:tun0", "h1:eth0", why=(Reason.ROUTE_ELSEWHERE, *ELSEWHERE)),
        (("h1", "ip addr add 10.9.0.6/29 dev tun0"),),
    ),
)
