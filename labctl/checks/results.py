"""What a probe saw and what a check concludes from it, as plain data.

A probe ends in one of six states:

    answered   everything that was expected came back (a reply to every request) or arrived as it was sent
    differs    something came, but not that: some replies only, other bytes than those that were sent, another status
    silent     packets were sent, and nothing came of them, or a refusal: a RST, an ICMP error, no answer to ARP;
               or a command did not end in its time
    not-sent   the sender's own kernel refused at once: no route, a blackhole, a firewall on the way out
    unasked    the probe could not be made: no server, no tool, no such command, an output that is not understood
    undecided  what was measured does not tell: a bound lies between the limits of the number that it is for

A check expects one of answered, silent and not-sent, so the other three never pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from labctl.frozen import frozen

if TYPE_CHECKING:
    from labctl.topology.model import Check, Probe


State = Literal["answered", "differs", "silent", "not-sent", "unasked", "undecided"]


WANTED: Mapping[str | None, State] = {
    None: "answered",
    "reply": "answered",
    "delivered": "answered",
    "no-reply": "silent",
    "not-delivered": "silent",
    "not-sent": "not-sent",
}
"""How the probe of a check has to end, by what the check expects."""


@frozen
class Carried:
    """How many requests have crossed for sure, and at most; None where nothing limits that."""

    least: int
    most: int | None


@frozen
class Outcome:
    """What a probe saw: how it ended, that in words, and what has crossed where only the probe knows."""

    state: State
    words: str
    carried: Carried | None = None

    def is_answer_to(self, wanted: State) -> bool:
        """Return whether it is an answer, yes or no, to a check that expects `wanted`.

        Where nothing was sent, silence proves nothing: a check that expects silence has then not been asked.
        """
        return self.state not in ("unasked", "undecided") and (self.state, wanted) != ("not-sent", "silent")


@frozen
class Evidence:
    """A count of packets at one place (`siteA:tun0`): what it had to be, in words, and what it was.

    `counter` is tx or rx of the interface, or what its engine read, sent, received or wrote. `others` are the packets
    that were counted there, too, and were seen to be none of the check's, or refusals where no reply is expected.
    """

    place: str
    counter: str
    expected: str
    observed: int
    holds: bool
    others: int = 0

    @property
    def too_many(self) -> bool:
        """Return whether more packets were counted than there may be: `expected` ends with the most, or the least."""
        return not self.holds and self.observed > int(self.expected.rpartition(" ")[2])

    def __str__(self) -> str:
        expected = "" if self.holds else f", not {self.expected}"
        others = f", beside {self.others} others" if self.others else ""
        return f"{self.observed} packet{'s' * (self.observed != 1)} ({self.counter}) at {self.place}{expected}{others}"


@frozen
class Result:
    """The verdict of one check. `lost` is what a diagnosis says of a failed one, in a line: where, and why.

    `asked` is false where the question could not be put to the lab; such a check has not passed. `lacks` are the checks
    that it needs and that did not pass: then it was not even tried. `seconds` is how long it took, with all its tries.
    """

    name: str
    description: str
    passed: bool
    asked: bool
    outcome: State
    expected: str
    observed: str
    evidence: tuple[Evidence, ...]
    command: str
    lost: str = ""
    message: str = ""
    lacks: tuple[str, ...] = ()
    seconds: float = 0.0

    def __str__(self) -> str:
        told = {
            "expected": self.expected,
            "observed": self.observed,
            "counted": "" if self.lost else "; ".join(map(str, self.evidence)),
            "lost": self.lost,
            "message": self.message,
            "by hand": self.command,
        }
        mark = "pass" if self.passed else "FAIL" if self.asked else "????"
        head = f"{mark} {self.name}  {self.description}".rstrip()
        return "\n".join([head, *(f"     {label:8}  {words}" for label, words in told.items() if words)])


class Tools(Protocol):
    """What probes are made with."""

    def prepare(self, checks: Sequence[Check]) -> None:
        """Be ready for these checks. Raise MachineError where something is missing for that."""

    def ask(self, probe: Probe) -> Outcome:
        """Make a probe, and return how it ended."""

    def typed(self, probe: Probe) -> str:
        """Return what a person types for the same."""
