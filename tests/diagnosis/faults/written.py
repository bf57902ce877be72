"""Mistakes in the file: what keeps packets away is asked for there, so that no `up` mends it."""

from __future__ import annotations

from labctl.diagnosis.reasons import Reason
from tests.diagnosis.fault import Edit, Fault, at

SITE_A = "    sysctls: {net.ipv4.ip_forward: 0}      # a host"


def of_site_a(key: str) -> tuple[Edit, ...]:
    """The file with one more key of a namespace."""
    return (Edit(SITE_A, f"    {key}\n{SITE_A}"),)


FAULTS = (
    Fault(
        "another host's MAC is written",
        "two-site",
        "underlay",
        at("siteA:wan0", why=Reason.NEIGHBOUR_WRONG),
        edits=of_site_a('neighbours: [{to: 192.0.2.2, lladdr: "02:00:00:00:00:99", dev: wan0}]'),
        lines=("neighbours:",),
    ),
)
