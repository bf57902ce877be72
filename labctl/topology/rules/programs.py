"""The programs of namespaces: each name means one thing, and no program waits for itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labctl.topology.model import Namespace, Topology
from labctl.topology.paths import Path
from labctl.topology.program_ref import ProgramRef
from labctl.topology.routing import LOOPBACK
from labctl.topology.rules.finding import Finding, unknown_namespace
from labctl.topology.unknown_names import did_you_mean

Places = Mapping[ProgramRef, Path]
"""Where each program stands; of two with one name the first."""


def of_programs(topology: Topology) -> Iterator[Finding]:
    """Yield what is wrong with the programs of a topology."""
    places: dict[ProgramRef, Path] = {}
    for where, namespace in topology.namespaces.items():
        for index, program in enumerate(namespace.programs):
            here: Path = ("namespaces", where, "programs", index)
            ref = ProgramRef(where, program.name)
            yield from _name_of_its_own(ref, namespace, here, places)
            places.setdefault(ref, here)
    earlier: dict[ProgramRef, dict[ProgramRef, Path]] = {}
    for ref, named in _earlier(topology):
        yield from _known(topology, ref, named, places)
        earlier.setdefault(ref, named)
    yield from _cycles(earlier, places)


def _name_of_its_own(ref: ProgramRef, namespace: Namespace, here: Path, places: Places) -> Iterator[Finding]:
    if ref in places:
        number = places[ref][-1]
        assert isinstance(number, int)
        what = f"{ref.namespace!r} has a program {ref.name!r} already, number {number + 1} of this list"
        yield Finding((*here, "name"), what, "choose another name")
    elif ref.name in (*namespace.interfaces, LOOPBACK):
        what = f"{ref} is an interface already"
        yield Finding((*here, "name"), what, "choose another name: commands call both NAMESPACE:NAME")


def _earlier(topology: Topology) -> Iterator[tuple[ProgramRef, dict[ProgramRef, Path]]]:
    """Yield each program with those that it starts after, and where it says so."""
    for where, namespace in topology.namespaces.items():
        for index, program in enumerate(namespace.programs):
            here = ("namespaces", where, "programs", index, "after")
            named: dict[ProgramRef, Path] = {}
            for place, text in enumerate(program.after):
                named[ProgramRef.near(text, where)] = (*here, place)
            yield ProgramRef(where, program.name), named


def _known(topology: Topology, ref: ProgramRef, named: Mapping[ProgramRef, Path], places: Places) -> Iterator[Finding]:
    for other, path in named.items():
        if other in places:
            continue
        unknown = unknown_namespace(topology, other.namespace, path)
        if unknown is not None:
            yield unknown
            continue
        known = [each.name for each in places if each.namespace == other.namespace and each != ref]
        what = f"the namespace {other.namespace!r} has no program {other.name!r}"
        absent = ("namespaces", other.namespace, "programs")
        yield Finding(path, what, did_you_mean(other.name, known), (absent,))


def _cycles(earlier: Mapping[ProgramRef, Mapping[ProgramRef, Path]], places: Places) -> Iterator[Finding]:
    """Yield a finding for each cycle, at the first program of it in the file."""
    told: set[ProgramRef] = set()
    for ref in places:
        way = [] if ref in told else _way_back(ref, earlier)
        if way:
            told.update(way)
            chain = " after ".join(map(str, (ref, *way)))
            hint = "a program starts once those that it names are ready: leave one `after` out"
            yield Finding(earlier[ref][way[0]], f"{ref} waits for itself: {chain}", hint)


def _way_back(ref: ProgramRef, earlier: Mapping[ProgramRef, Mapping[ProgramRef, Path]]) -> list[ProgramRef]:
    """Return the shortest way from a program to itself, over those that each starts after; empty where none is."""
    came: dict[ProgramRef, ProgramRef] = {}
    queue = [ref]
    for here in queue:  # which grows
        for other in earlier.get(here, ()):
            if other not in came:
                came[other] = here
                queue.append(other)
            if other == ref:
                way = [ref]
                while came[way[0]] != ref:
                    way.insert(0, came[way[0]])
                return way
    return []
