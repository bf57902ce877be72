"""A topology with the ways of its tunnels. They are followed once, for two who ask.

The rules ask whether a tunnel carries itself, the plan what its MTU is to be. A topology that gets another name keeps
its ways: only the names of the namespaces on them change (rename.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from labctl.frozen import frozen
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Topology
from labctl.topology.routing import Fib, fibs_of
from labctl.topology.segments import Segments
from labctl.topology.ways import Way, Ways


@frozen
class Routed:
    """A topology, and the way of each tunnel's datagrams to the peer by its TUN device, in the order of `Ways`.

    `file` is the absolute path of the plain file that it was read from, empty where it was read from none.
    """

    topology: Topology
    ways: Mapping[InterfaceRef, Way]
    file: str = ""

    @classmethod
    def of(cls, topology: Topology) -> Routed:
        """Return a topology with the ways that its file shows."""
        return cls(topology, Network(topology).ways.of_tunnels)


class Network:
    """A topology, and what it shows of how packets travel: the FIB of each namespace, broadcast domains, ways."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.fibs: Mapping[str, Fib] = fibs_of(topology)
        self.segments = Segments(topology)
        self.ways = Ways(topology, self.fibs, self.segments)
