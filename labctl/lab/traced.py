"""What became of packets: the ladders of a command or of a check, made of what was seen while it ran."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from labctl.frozen import frozen
from labctl.kernel.packet_taps import Seen
from labctl.lab.carriers import Carriers
from labctl.lab.challenge import Challenge
from labctl.trace.clocks import Clocks
from labctl.trace.journeys import journeys
from labctl.trace.ladder import HELD_BACK, MISSED, Facts, Hop, Ladder, ladders, uncertain
from labctl.trace.selection import concerning, without
from labctl.trace.sightings import Journey, Sighting

if TYPE_CHECKING:
    from labctl.diagnosis.verdict import Verdict
    from labctl.errors import LabError

MOST_BYTES = 64 << 20  # of frames that are kept
MOST_PACKETS = 1000  # that are followed


class Meant(NamedTuple):
    """Which packets are followed."""

    what: tuple[str, ...]  # of a command, or of the check that has this name
    namespaces: Collection[str]  # those that pass one of these
    own: Callable[[Sequence[Journey]], list[Journey]]  # picks those that can be of it


class Gathered(NamedTuple):
    """What was seen of a lab meanwhile."""

    sightings: Sequence[Sighting]  # in order
    carriers: Carriers
    older: frozenset[tuple[int, int]]  # ports of TCP connections that were there before, the lower first
    missed: int  # frames that were not kept
    held_back: bool = False  # whether an impairment held packets back at the end


@frozen
class Traced:
    """The ladders of the packets of a command or a check, and what is not among them."""

    lab: str
    what: tuple[str, ...]  # the command, or the name of the check
    exit_code: int
    ladders: tuple[Ladder, ...]
    seen: tuple[Seen, ...]  # all frames, also those of other packets
    carriers: Carriers
    others: int  # packets of the lab that do not concern it
    unfollowed: int  # packets of its own that were too many
    older: int  # TCP connections that were there before, and were left out
    missed: int  # frames that were not kept
    diagnosis: tuple[Verdict, ...] = ()  # why packets were lost, as far as that is known
    challenge: Challenge | None = None  # while one runs it is told where packets end, and not why
    clocks: Clocks | None = None  # of the hosts of a lab over several
    lost: tuple[LabError, ...] = ()  # hosts that could not be asked to the end, and why

    @property
    def has_losses(self) -> bool:
        """Return whether a packet was lost or dropped."""
        return any(ladder.end in (Hop.LOST, Hop.DROPPED) for ladder in self.ladders)


def followed(lab: str, meant: Meant, exit_code: int, gathered: Gathered, facts: Facts) -> Traced:
    """Return the ladders of the packets that are meant."""
    everything = without(journeys(gathered.sightings), gathered.older)
    found = meant.own(concerning(everything, meant.namespaces))
    made = ladders(found[:MOST_PACKETS], facts)
    if gathered.missed or gathered.held_back:
        made = uncertain(made, MISSED if gathered.missed else HELD_BACK)
    return Traced(
        lab,
        meant.what,
        exit_code,
        tuple(made),
        tuple(each.seen for each in gathered.sightings),
        gathered.carriers,
        others=len(everything) - len(found),
        unfollowed=len(found) - len(made),
        older=len(gathered.older),
        missed=gathered.missed,
    )
