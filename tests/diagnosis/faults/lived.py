"""Faults that were met in labs of other kinds than those of this suite, last of all."""

from __future__ import annotations

from labctl.diagnosis.reasons import Reason
from tests.diagnosis.fault import Fault, at, rule

FAULTS = (
    Fault(
        "address of the next hop on the sender itself",
        "ipv6",
        "underlay",
        at("siteA:wan0", why=Reason.ADDRESS_DUPLICATE),
        (
            (
                "siteA",
                "ip addr add 2001:db8:1::ff/128 dev wan0 nodad && ip neigh flush dev wan0",
            ),
        ),
    ),
    *(
        Fault(
            f"a router lets only some fragments pass: {name}",
            "routed",
            "large",
            at("r1:a", why=Reason.FIREWALL),
            (
                ("siteA", "ip route change default via 192.0.2.2 mtu 1300"),
                ("r1", rule("forward", f"ip protocol icmp {taken} drop")),
            ),
        )
        for name, taken in {"the first": "ip frag-off & 0x1fff != 0", "the last": "meta length > 1000"}.items()
    ),
)
