"""Longest prefix match: which of many networks have an address in them, the longest prefix first.

For each prefix length there is one table from the bits that such a network fixes to what was put there, so a look-up
asks once for each length in use, however many networks there are; a lab has a handful of lengths.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Generic, TypeVar

from labctl.topology.values import Host, Network

T = TypeVar("T")


class Prefixes(Generic[T]):
    """Values by network, IPv4 and IPv6 apart; a network can have several, which keep their order."""

    def __init__(self) -> None:
        self._tables: dict[tuple[int, int], dict[int, list[T]]] = defaultdict(dict)  # by (IP version, bits left out)

    def add(self, network: Network, value: T) -> None:
        """Add a value to those of a network."""
        left_out = network.max_prefixlen - network.prefixlen
        table = self._tables[network.version, left_out]
        table.setdefault(int(network.network_address) >> left_out, []).append(value)

    def matching(self, address: Host) -> Iterator[list[T]]:
        """Yield the values of each network that has the address in it, the longest prefix first."""
        whole = int(address)
        for version, left_out in sorted(self._tables):
            if version == address.version and whole >> left_out in self._tables[version, left_out]:
                yield self._tables[version, left_out][whole >> left_out]
