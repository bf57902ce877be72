"""Faults on one of several ways that the file leaves open."""

from __future__ import annotations

from labctl.diagnosis.reasons import Reason
from tests.diagnosis.fault import Fault, at, rule

FAULTS = (
    Fault(
        "the router that is taken does not forward",
        "two-ways",
        "across",
        at("r2:a", "r2", why=Reason.FORWARDING_OFF),
        (("r2", "sysctl -qw net.ipv4.ip_forward=0"),),
    ),
    Fault(
        "the router that is taken has no way back",
        "two-ways",
        "across",
        at("r2", "r2:b", why=Reason.NO_ROUTE),
        (("r2", "ip route del 10.0.1.1/32"),),
    ),
    Fault(
        "the router that is taken has lost its address",
        "two-ways",
        "across",
        at("r2:a", why=Reason.ADDRESS_MISSING),
        (("r2", "ip addr del 192.0.2.6/30 dev a"), ("siteA", "ip neigh flush dev two")),
    ),
    Fault(
        "the sender drops what leaves by the next hop that is taken",
        "two-ways",
        "across",
        at("siteA:two", why=Reason.FIREWALL),
        (("siteA", rule("output", "oifname two icmp type echo-request drop")),),
    ),
    Fault(
        "the end of the cable that is taken is down, for a connection",
        "two-ways",
        "tcp",
        at("r2:a", "siteA:two", why=(Reason.LINK_DOWN, Reason.NO_CARRIER)),
        (("r2", "ip link set dev a down"),),
    ),
    Fault(
        "no echo requests are answered behind several ways",
        "two-ways",
        "across",
        at("siteB:two", "siteB", why=Reason.ECHO_IGNORED),
        (("siteB", "sysctl -qw net.ipv4.icmp_echo_ignore_all=1"),),
    ),
)
