"""Plain values in, a topology out, and every mistake of it at once: each with the path to the value that is wrong.

    plain values -> model -> network -> rules

Where values are broken by themselves the rules are asked about the others, and a finding that only follows from what is
broken is left out. Where a value stands, in a file or in a program, is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from labctl.frozen import frozen
from labctl.topology.model import Topology
from labctl.topology.paths import Path
from labctl.topology.prune import Remainder, without
from labctl.topology.reading import Broken, read
from labctl.topology.routed import Network, Routed
from labctl.topology.rules import mistakes_of
from labctl.topology.sources import with_contents


class Wrong(NamedTuple):
    """A mistake: the path to the value that a person would change first, what is wrong, what would be right."""

    path: Path
    what: str
    hint: str


@frozen
class Judged:
    """What plain values are: a topology, unless something is wrong with them."""

    routed: Routed | None
    wrong: tuple[Wrong, ...]


def judged(value: object, directory: str) -> Judged:
    """Return what plain values are; the paths in them begin at the directory."""
    topology, broken = read(Topology, value)
    wrong = [Wrong(one.path, one.what, one.hint) for one in broken]
    remainder = Remainder(value, {})
    if topology is None:
        topology, remainder = _what_is_left(value, broken)
    if topology is None:
        return Judged(None, tuple(wrong))
    network = Network(topology)
    wrong += _between_values(network, remainder, broken)
    topology, unreadable = with_contents(topology, directory)
    wrong += (Wrong(remainder.original(path), what, hint) for path, what, hint, _ in unreadable)
    return Judged(None if wrong else Routed(topology, network.ways.of_tunnels), tuple(wrong))


def _what_is_left(value: object, broken: list[Broken]) -> tuple[Topology | None, Remainder]:
    """Return the topology without what is broken; None where nothing is left that could be one."""
    cuts: set[Path] = set()
    more = {one.cut for one in broken}
    while more - cuts and () not in more:
        cuts |= more
        remainder = without(value, cuts)
        topology, broken = read(Topology, remainder.value)
        if topology is not None:
            return topology, remainder
        # Without a broken part what is around it may lack a key, and is then cut in its turn.
        more = {remainder.original(one.cut) for one in broken}
    return None, Remainder(None, {})


def _between_values(network: Network, remainder: Remainder, broken: list[Broken]) -> Iterator[Wrong]:
    doubtful = {one.meant for one in broken} | {one.cut for one in broken}
    for path, what, hint, absent in mistakes_of(network):
        places = [remainder.original(place) for place in absent]
        if not any(_overlap(place, other) for place in places for other in doubtful):
            yield Wrong(remainder.original(path), what, hint)


def _overlap(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
