"""Whether the packets of a probe have left their sender at all.

A check that expects silence proves nothing while the next hop's link-layer address is not known: packets wait for it,
and are dropped. The counters do not show it: ARP and neighbour discovery are counted there, too.
"""

from __future__ import annotations

from typing import Protocol

from labctl.checks.kinds import kind_of
from labctl.kernel.lookup import NoWay, Way
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Check
from labctl.topology.values import Host


class Kernel(Protocol):
    """What is asked about the first interface of a way."""

    def way(self, namespace: str, to: Host) -> Way | NoWay:
        """Return the way of a packet that the namespace sends."""

    def resolved(self, ref: InterfaceRef, neighbour: str) -> bool:
        """Return whether nothing waits at an interface for the link-layer address of a neighbour."""


def held_back(check: Check, kernel: Kernel) -> bool:
    """Return whether the packets of a probe have not left by the first interface of their way."""
    target, first = kind_of(check.probe).target(), check.crosses[0]
    if target is None or first.namespace != target.sender:
        return False
    way = kernel.way(target.sender, target.to)
    if isinstance(way, NoWay) or way.local or way.interface != first.interface:
        return False
    return not kernel.resolved(first, way.via or str(target.to))
