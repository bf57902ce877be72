"""Whether the packets of a probe have left their sender, and each that is to pass them on, at all.

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
    """What is asked about the interfaces by which packets leave on their way."""

    def way(self, namespace: str, to: Host) -> Way | NoWay:
        """Return the way of a packet that the namespace sends."""

    def resolved(self, ref: InterfaceRef, neighbour: str) -> bool:
        """Return whether nothing waits at an interface for the link-layer address of a neighbour."""


def held_back(check: Check, kernel: Kernel) -> bool:
    """Return whether the packets of a probe have not left by an interface of their way."""
    target = kind_of(check.probe).target()
    return target is not None and any(_waits(leaving, target.to, kernel) for leaving in check.crosses[::2])


def _waits(leaving: InterfaceRef, to: Host, kernel: Kernel) -> bool:
    """Return whether what a namespace sends to an address waits at an interface for that of its next hop."""
    way = kernel.way(leaving.namespace, to)
    if isinstance(way, NoWay) or way.local or way.interface != leaving.interface:
        return False
    return not kernel.resolved(leaving, way.via or str(to))
