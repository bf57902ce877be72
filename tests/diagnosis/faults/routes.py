"""Routes and rules: missing, in the way, rejecting, with a wrong next hop or source."""

from __future__ import annotations

from labctl.diagnosis.reasons import Reason
from tests.diagnosis.fault import Fault, at

NEXT_HOP = (Reason.WRONG_NEXT_HOP, Reason.NEIGHBOUR_FAILED, Reason.ROUTE_ELSEWHERE)

FAULTS = (
    Fault(
        "no route to the other end of the tunnel",
        "two-site",
        "underlay-to-dummy",
        at("siteA:wan0", why=Reason.NO_ROUTE),
        (("siteA", "ip route del 10.0.2.0/24"),),
    ),
    Fault(
        "no route into the tunnel",
        "two-site",
        "ping-across-a-to-b",
        at("siteA:tun0", why=Reason.NO_ROUTE),
        (("siteA", "ip route del 10.0.102.0/24"),),
    ),
    Fault(
        "no route back through the tunnel",
        "two-site",
        "ping-across-a-to-b",
        at("siteB:tun1", why=Reason.NO_ROUTE),
        (("siteB", "ip route del 10.0.101.0/24"),),
    ),
    Fault(
        "engine has no route to its peer",
        "two-site",
        "ping-across-b-to-a",
        at("siteB:tun1", "siteB:wan0", why=Reason.NO_ROUTE),
        (("siteB", "ip route del 10.0.1.0/24"),),
    ),
    Fault(
        "first router has no route",
        "routed",
        "underlay",
        at("r1:b", "r1:a", why=Reason.NO_ROUTE),
        (("r1", "ip route del 10.0.2.0/24"),),
    ),
    Fault(
        "second router has no route back",
        "routed",
        "underlay",
        at("r2:a", "r2:b", why=Reason.NO_ROUTE),
        (("r2", "ip route del 192.0.2.0/30"),),
    ),
    Fault(
        "tunnel's way back lost at the first router",
        "routed",
        "tunnel",
        at("r1:a", "r1:b", why=Reason.NO_ROUTE),
        (("r1", "ip route del 10.0.1.0/24"),),
    ),
    Fault(
        "no default route",
        "ipv6",
        "underlay",
        at("siteA:wan0", why=Reason.NO_ROUTE),
        (("siteA", "ip -6 route del default"),),
    ),
    Fault(
        "blackhole at the sender",
        "two-site",
        "underlay-to-dummy",
        at("siteA:wan0", why=Reason.ROUTE_REJECTS),
        (("siteA", "ip route add blackhole 10.0.2.1/32"),),
    ),
    Fault(
        "unreachable at a router",
        "routed",
        "underlay",
        at("r1:a", "r1:b", why=Reason.ROUTE_REJECTS),
        (("r1", "ip route add unreachable 10.0.2.1/32"),),
    ),
    Fault(
        "blackhole for the way back at a router",
        "routed",
        "underlay",
        at("r2:a", "r2:b", why=Reason.ROUTE_REJECTS),
        (("r2", "ip route add blackhole 192.0.2.1/32"),),
    ),
    Fault(
        "unreachable in IPv6 at the router",
        "ipv6",
        "tunnel",
        at("r:a", "r:b", why=Reason.ROUTE_REJECTS),
        (("r", "ip -6 route add unreachable 2001:db8:2::1/128"),),
    ),
    Fault(
        "rule prohibits the destination",
        "two-site",
        "underlay-to-dummy",
        at("siteA:wan0", why=Reason.ROUTE_REJECTS),
        (("siteA", "ip rule add to 10.0.2.0/24 prohibit"),),
    ),
    Fault(
        "rule rejects what comes in at a router",
        "routed",
        "tcp",
        at("r1:a", why=Reason.ROUTE_REJECTS),
        (("r1", "ip rule add iif a to 10.0.2.0/24 blackhole"),),
    ),
    Fault(
        "rule looks in another table",
        "two-site",
        "underlay-to-dummy",
        at("siteA:wan0", "siteA:tun0", why=(Reason.ROUTE_ELSEWHERE, Reason.ROUTING_LOOP)),
        (
            ("siteA", "ip route add default dev tun0 table 50"),
            ("siteA", "ip rule add to 10.0.2.0/24 lookup 50"),
        ),
    ),
    Fault(
        "more specific route sends back where it came from",
        "routed",
        "underlay",
        at("r1:a", why=(Reason.ROUTE_ELSEWHERE, Reason.WRONG_NEXT_HOP, Reason.TTL)),
        (("r1", "ip route add 10.0.2.1/32 via 192.0.2.1"),),
    ),
    Fault(
        "more specific route past the tunnel",
        "switch",
        "tunnel",
        at("h1:tun0", "h1:eth0", why=Reason.ROUTE_ELSEWHERE),
        (("h1", "ip route add 10.9.102.1/32 dev eth0"),),
    ),
    Fault(
        "two TUN devices, the wrong one",
        "single-host",
        "silent-neighbour-a",
        at("host:tun0", "host:tun1", why=Reason.ROUTE_ELSEWHERE),
        (("host", "ip route add 10.0.101.5/32 dev tun1"),),
    ),
    Fault(
        "next hop that nobody has",
        "routed",
        "underlay",
        at("r1:b", why=NEXT_HOP),
        (("r1", "ip route replace 10.0.2.0/24 via 192.0.2.77 dev b onlink"),),
    ),
    Fault(
        "default route without a gateway",
        "routed",
        "underlay",
        at("siteA:wan0", why=NEXT_HOP),
        (("siteA", "ip route replace default dev wan0"),),
    ),
    Fault(
        "route chooses a source that is answered past the tunnel",
        "two-site",
        "ping-across-a-to-b",
        at("siteA:tun0", why=Reason.WRONG_SOURCE),
        (("siteA", "ip route replace 10.0.102.0/24 dev tun0 src 10.0.1.1"),),
    ),
)
