"""Where the headers of a TCP or UDP packet end, and which of their fields depend on its length."""

from __future__ import annotations

from typing import NamedTuple

from labctl.engine.packets.ip import IPV6_HEADER, TCP, UDP

CSUM_OFFSETS = {TCP: 16, UDP: 6}
"""Where the checksum is behind the beginning of the TCP or UDP header."""

FIN_PSH, CWR = 0x09, 0x80
"""Flags of TCP that one packet alone of a superframe has: the last and the first."""


class Layout(NamedTuple):
    """Where the headers of a packet end, and what they are."""

    version: int
    protocol: int
    l4: int
    head: int

    @property
    def check(self) -> int:
        """The offset of the TCP or UDP checksum."""
        return self.l4 + CSUM_OFFSETS[self.protocol]

    @property
    def addresses(self) -> int:
        """The offset of the addresses. Without IPv4 options and IPv6 extension headers they end at `l4`."""
        return 12 if self.version == 4 else 8

    def lengths(self, size: int) -> list[tuple[int, int]]:
        """Return the offsets at which a packet of this size states a length, each with that length."""
        stated = [(2, size) if self.version == 4 else (4, size - IPV6_HEADER)]
        return [*stated, (self.l4 + 4, size - self.l4)] if self.protocol == UDP else stated
