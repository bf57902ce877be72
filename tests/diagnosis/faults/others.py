"""What is rare: queues, IPsec policies, checksums, buffers."""

from __future__ import annotations

from labctl.diagnosis.reasons import Reason
from tests.diagnosis.fault import Fault, at, rule

FAULTS = (
    Fault(
        "queue lets nothing out",
        "two-site",
        "underlay",
        at("siteA:wan0", why=Reason.TRAFFIC_CONTROL),
        (("siteA", "tc qdisc add dev wan0 root blackhole"),),
        needs="sch_blackhole",
    ),
    Fault(
        "queue of a router is too slow for large packets",
        "routed",
        "large",
        at("r1:b", why=Reason.TRAFFIC_CONTROL),
        (("r1", "tc qdisc add dev b root tbf rate 1mbit burst 1000 limit 1000"),),
        needs="sch_tbf",
    ),
    Fault(
        "queue of the TUN device",
        "two-site",
        "ping-across-b-to-a",
        at("siteB:tun1", why=Reason.TRAFFIC_CONTROL),
        (("siteB", "tc qdisc add dev tun1 root blackhole"),),
        needs="sch_blackhole",
    ),
    Fault(
        "netem loses everything",
        "two-site",
        "underlay",
        at("siteA:wan0", why=(Reason.TRAFFIC_CONTROL, Reason.IMPAIRED)),
        (("siteA", "tc qdisc add dev wan0 root netem loss 100%"),),
        needs="netem",
    ),
    Fault(
        "policy blocks what goes out",
        "two-site",
        "underlay-to-dummy",
        at("siteA:wan0", why=Reason.XFRM),
        (("siteA", "ip xfrm policy add src 0.0.0.0/0 dst 10.0.2.0/24 dir out action block"),),
    ),
    Fault(
        "policy demands ESP of what comes in",
        "two-site",
        "underlay-to-dummy",
        at("siteB:wan0", why=Reason.XFRM),
        (
            (
                "siteB",
                "ip xfrm policy add src 192.0.2.1/32 dst 10.0.2.1/32 dir in "
                "tmpl src 192.0.2.1 dst 192.0.2.2 proto esp mode tunnel",
            ),
        ),
    ),
    Fault(
        "checksum broken on the way out",
        "two-site",
        "hello-over-udp-a-to-b",
        at("siteA:tun0", "siteB:tun1", why=(Reason.CORRUPTED, Reason.FIREWALL)),
        (("siteA", rule("postrouting", "oif tun0 udp checksum set 1", priority=300)),),
    ),
)
