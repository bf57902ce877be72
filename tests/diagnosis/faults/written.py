"""Mistakes in the file: what keeps packets away is asked for there, so that no `up` mends it."""

from __future__ import annotations

from labctl.diagnosis.reasons import Reason
from tests.diagnosis.fault import Edit, Fault, at

SITE_A = "    sysctls: {net.ipv4.ip_forward: 0}      # a host"


def of_site_a(key: str) -> tuple[Edit, ...]:
    """The file with one more key of a namespace."""
    return (Edit(SITE_A, f"    {key}\n{SITE_A}"),)


def ruleset(hook: str, *rules: str, policy: str = "accept") -> str:
    """A ruleset of a namespace, with one chain."""
    first = f"type filter hook {hook} priority 0; policy {policy};"
    chain = "\n".join(f"          {line}" for line in (first, *rules))
    return f"nft: |\n      table inet own {{\n        chain c {{\n{chain}\n        }}\n      }}"


FAULTS = (
    Fault(
        "an address has an owner that is to have none",
        "two-site",
        "silent-stranger-a",
        at("siteB:tun1", why=Reason.ANSWERED),
        edits=(Edit("addresses: [10.0.102.1/24]", "addresses: [10.0.102.1/24, 10.0.102.7/24]"),),
        lines=("10.0.102.7/24",),
    ),
    Fault(
        "another host's MAC is written",
        "two-site",
        "underlay",
        at("siteA:wan0", why=Reason.NEIGHBOUR_WRONG),
        edits=of_site_a('neighbours: [{to: 192.0.2.2, lladdr: "02:00:00:00:00:99", dev: wan0}]'),
        lines=("neighbours:",),
    ),
    Fault(
        "the file drops what comes",
        "two-site",
        "underlay-to-dummy",
        at("siteA:wan0", "siteA:dummy0", why=Reason.FIREWALL),
        edits=of_site_a(ruleset("output", "udp dport 53 accept", "icmp type echo-request counter drop")),
        lines=("echo-request counter drop",),
    ),
    Fault(
        "the file's policy is drop",
        "two-site",
        "underlay",
        at("siteA:wan0", why=Reason.FIREWALL),
        edits=of_site_a(ruleset("input", "icmp type echo-request accept", policy="drop")),
        lines=("policy drop",),
    ),
    Fault(
        "the file rejects",
        "two-site",
        "hello-over-tcp-b-to-a",
        at("siteA:tun0", why=Reason.FIREWALL),
        edits=of_site_a(ruleset("input", "ct state invalid drop", "tcp dport { 8000, 8001 } reject")),
        lines=("reject",),
    ),
    Fault(
        "the file drops in a chain that another jumps to",
        "two-site",
        "underlay",
        at("siteA:wan0", why=Reason.FIREWALL),
        edits=of_site_a(
            """nft: |
      table ip own {
          chain mine {
              ip saddr 192.0.2.2 \\
                drop
          }
          chain c {
              type filter hook input priority 0
              jump mine
          }
      }"""
        ),
        lines=("ip saddr 192.0.2.2",),
    ),
)
