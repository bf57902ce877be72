"""What all that a check may ask has in common: one interface, which each kind of probe fulfils in a module of its own.

A kind holds the probe as the file has it. It knows how it is asked and which outcome follows, what is expected in
words, what a person types for the same, how many packets it sends, and where they go. Whoever runs, counts, diagnoses
or shows a check asks the kind, and none of them knows which kinds there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from labctl.frozen import frozen
from labctl.topology.values import Host

if TYPE_CHECKING:
    from labctl.checks.results import Outcome, State
    from labctl.process.patience import PatienceFor
    from labctl.topology.model import Probe


@frozen
class Each:
    """So many packets for each request, where only the outcome says how many of them have crossed (`Carried`)."""

    packets: int


@frozen
class AtLeast:
    """So many packets or more; with 0 nothing is expected."""

    packets: int


Number = int | Each | AtLeast | None


@frozen
class Counts:
    """How many packets go and come back; None where only the protocol knows: then engines must agree on a number."""

    there: Number
    back: Number


@frozen
class Target:
    """Where the packets of a probe go, and what is meant to come of them."""

    sender: str
    to: Host
    protocol: str  # icmp, ipv6-icmp, tcp or udp
    port: int = 0
    size: int = 0  # bytes behind the transport header
    receiver: str = ""  # the namespace that the file means by the address; empty where it does not say
    replied: bool = True  # whether something comes back where all is well
    own_server: bool = False  # whether the check itself listens at the other end
    measured: tuple[str, ...] = ()  # loss, rtt, throughput: by so many packets that they are not looked at one by one


class Kind(Protocol):
    """A probe that can be asked."""

    def ask(self, patience: PatienceFor) -> Outcome:
        """Put the question with labctl's own means, and return how it ended."""

    def typed(self) -> str:
        """Return what a person types for the same."""

    def expectation(self, wanted: State) -> str:
        """Return what is expected, in words, where the probe has to end in a state."""

    def counts(self, wanted: State, leaving: int, arriving: int) -> Counts:
        """Return how many packets cross, from an interface with the MTU `leaving` to one with the MTU `arriving`."""

    def target(self) -> Target | None:
        """Return where its packets go; None where it sends none, or where only the command that is run knows."""

    def briefly(self, seconds: float, times: int) -> Probe:
        """Return a probe that asks the same at most so many times, and waits no longer than so many seconds."""
