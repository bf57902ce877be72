"""What must hold between the values of a topology; `model` says what each one alone may be.

Most rules are a refusal of the kernel, known beforehand: an error in a file is cheaper than a lab that is rolled back.
The others keep a lab from touching the machine (sysctls) or from proving nothing (checks).
"""

from __future__ import annotations

from collections.abc import Iterator

from labctl.topology.routed import Network
from labctl.topology.rules.addresses import of_addresses, of_macs
from labctl.topology.rules.checks import of_checks
from labctl.topology.rules.finding import Finding
from labctl.topology.rules.hosts import of_hosts
from labctl.topology.rules.interfaces import of_interfaces
from labctl.topology.rules.namespaces import of_namespaces
from labctl.topology.rules.needs import of_needs
from labctl.topology.rules.programs import of_programs
from labctl.topology.rules.recursion import of_recursion
from labctl.topology.rules.tunnels import of_tunnels
from labctl.topology.rules.warnings import warnings_of

__all__ = ["Finding", "mistakes_of", "warnings_of"]


def mistakes_of(network: Network) -> Iterator[Finding]:
    """Yield every mistake between the values of a topology, in no order."""
    topology, fibs, segments, ways = network.topology, network.fibs, network.segments, network.ways
    yield from of_interfaces(topology)
    yield from of_addresses(topology, segments, ways)
    yield from of_macs(topology, segments)
    yield from of_namespaces(topology)
    yield from of_programs(topology)
    yield from of_tunnels(topology, fibs)
    yield from of_recursion(topology, ways.of_tunnels)
    yield from of_checks(topology, fibs)
    yield from of_needs(topology)
    yield from of_hosts(topology)
