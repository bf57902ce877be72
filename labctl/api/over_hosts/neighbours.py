"""Neighbours over hosts: what a namespace has learned of one on another host is old once its interface is another.

On one machine a plan sees that no interface has the MAC address any more (plan/foreign.py). A host does not see those
of the others, so it forgets what it has learned of them wherever links were made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from labctl.api.over_hosts.sessions import Sessions
from labctl.api.work import neighbours
from labctl.lab.up import UpReport
from labctl.plan.steps import AddLink, AddVeth, DeleteLink, SetMac
from labctl.topology.model import Topology

ANEW = (AddLink, AddVeth, DeleteLink, SetMac)


def forget(found: Sessions, lab: str, shares: Mapping[str, Topology], reports: Mapping[str, UpReport]) -> None:
    """Have hosts whose share stood before forget what they know of namespaces on hosts whose links are others now."""
    addresses = {host: set(_addresses(share)) for host, share in shares.items()}
    others = {host for host, report in reports.items() if any(isinstance(each.step, ANEW) for each in report.changes)}
    works = {
        host: partial(neighbours.forget, lab, frozenset().union(*(addresses[other] for other in others - {host})))
        for host, report in reports.items()
        if not report.fresh and others - {host}
    }
    found.all(works)


def _addresses(share: Topology) -> Iterable[str]:
    for space in share.namespaces.values():
        for interface in space.interfaces.values():
            yield from (str(own.ip) for own in interface.addresses)
