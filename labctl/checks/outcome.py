"""What a probe saw and what a check concludes from it, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from labctl.topology.model import Nc, Ping


@dataclass(frozen=True)
class Outcome:
    """What a probe saw: whether there was an answer (a reply, the data), and that in words."""

    answered: bool
    words: str


@dataclass(frozen=True)
class Evidence:
    """A count of packets at one place (`siteA:tun0`): what it had to be, in words, and what it was.

    `counter` is tx or rx of the interface, or what its engine read, sent, received or wrote.
    """

    place: str
    counter: str
    expected: str
    observed: int
    holds: bool


@dataclass(frozen=True)
class Result:
    """The verdict of one check. `lost` says where packets were last seen, where that can be told."""

    name: str
    description: str
    passed: bool
    expected: str
    observed: str
    evidence: tuple[Evidence, ...]
    command: str
    lost: str = ""
    message: str = ""


class Tools(Protocol):
    """Something that can ping and carry data between namespaces."""

    def ping(self, ping: Ping) -> Outcome:
        """Send echo requests; answered when every request got its reply."""

    def nc(self, nc: Nc) -> Outcome:
        """Carry data; answered when every byte arrived as it was sent."""

    def ping_command(self, ping: Ping) -> str:
        """What a person types for the same."""

    def nc_command(self, nc: Nc) -> str:
        """What a person types for the same."""
