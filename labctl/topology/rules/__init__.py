"""What must hold between the values of a topology; `model` says what each one alone may be.

Most rules are a refusal of the kernel, known beforehand: an error in a file is cheaper than a lab that is rolled back.
The others keep a lab from touching the machine (sysctls) or from proving nothing (checks).
"""

from __future__ import annotations

from collections.abc import Iterator

from labctl.topology.model import Topology
from labctl.topology.routing import fibs_of
from labctl.topology.rules.addresses import of_addresses, of_macs
from labctl.topology.rules.checks import of_checks
from labctl.topology.rules.finding import Finding
from labctl.topology.rules.interfaces import of_interfaces
from labctl.topology.rules.namespaces import of_namespaces
from labctl.topology.rules.recursion import of_recursion
from labctl.topology.rules.tunnels import of_tunnels
from labctl.topology.rules.warnings import warnings_of
from labctl.topology.segments import Segments
from labctl.topology.ways import Ways

__all__ = ["Finding", "mistakes_of", "warnings_of"]


def mistakes_of(topology: Topology) -> Iterator[Finding]:
    """Yield every mistake between the values of a topology, in no order."""
    fibs, segments = fibs_of(topology), Segments(topology)
    ways = Ways(topology, fibs, segments)
    yield from of_interfaces(topology)
    yield from of_addresses(topology, segments, ways)
    yield from of_macs(topology, segments)
    yield from of_namespaces(topology)
    yield from of_tunnels(topology, fibs)
    yield from of_recursion(topology, ways.of_tunnels)
    yield from of_checks(topology, fibs)
