"""Which faults a challenge has: the topology, the seed and the level say it, the same each time.

First a fault is drawn, then its place, so that one with many places is not more frequent than others. Of level 3 half
are a fault that misleads, and half two faults at once, in two namespaces and of two subjects, neither of which hides
that the other is there.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Sequence

from labctl.errors import MachineError, UsageError
from labctl.frozen import frozen
from labctl.learn.changes import Action, Impair, Restart, Run, Start
from labctl.learn.faults import FAULTS
from labctl.learn.faults.fault import LEVELS, Fault, Injected, Level
from labctl.learn.faults.layout import Layout
from labctl.topology.model import Topology


@frozen
class Placed:
    """A fault, and where it is."""

    fault: Fault
    injected: Injected


def fitting(layout: Layout, level: Level | None = None) -> list[tuple[Fault, list[Injected]]]:
    """Return the faults that a lab can have, of a level or of all, each with its places."""
    found = [(fault, list(fault.places(layout))) for fault in FAULTS if level in (None, fault.level)]
    return [(fault, places) for fault, places in found if places]


def placed(topology: Topology, name: str, seed: int) -> Placed:
    """Return the fault of a name at a place that the seed says. Raise UsageError where the lab cannot have it."""
    for fault, places in fitting(Layout(topology)):
        if fault.name == name:
            return Placed(fault, random.Random(seed).choice(places))
    raise UsageError(f"lab {topology.name} cannot have the fault {name}", "", "labctl challenge --list shows those")


def choose(layout: Layout, seed: int, level: Level) -> tuple[Placed, ...]:
    """Return the faults of a challenge.

    Raise UsageError where the lab can have none of the level, MachineError where this machine can make none.
    """
    draw = random.Random(seed)
    if level == 3 and draw.random() < 0.5 and (pair := _pair(layout, draw)):
        return pair
    able = fitting(layout, level)
    one = _drawn(able, draw)
    if one is None:
        if able:
            lacks = sorted({program for fault, _ in able for program in fault.needs if not _is_there(program)})
            raise MachineError(f"no fault of level {level} can be made", f"missing: {', '.join(lacks)}", "install them")
        known = ", ".join(str(other) for other in LEVELS if fitting(layout, other))
        hint = f"levels of it: {known}" if known else "its checks must expect answers, as those of two-site do"
        raise UsageError(f"lab {layout.topology.name} has no fault of level {level}", "", hint)
    return (one,)


def _pair(layout: Layout, draw: random.Random) -> tuple[Placed, ...]:
    """Return two faults that do not meet: neither in one namespace, nor with a link that goes down; none where none."""
    simple = [each for level in (1, 2) for each in fitting(layout, level) if each[0].pairs]
    first = _drawn(simple, draw)
    if first is None:
        return ()
    others = [
        (fault, [place for place in places if not _spaces(place) & _spaces(first.injected)])
        for fault, places in simple
        if fault.name != first.fault.name
    ]
    second = _drawn([each for each in others if each[1]], draw)
    return (first, second) if second else ()


def _drawn(faults: Sequence[tuple[Fault, list[Injected]]], draw: random.Random) -> Placed | None:
    for fault, places in draw.sample(faults, len(faults)):
        place = draw.choice(places)
        if all(map(_is_there, fault.needs)):
            return Placed(fault, place)
    return None


def _is_there(program: str) -> bool:
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    return shutil.which(program, path=path) is not None


def _spaces(place: Injected) -> set[str]:
    return {_namespace(change) for change in place.changes}


def _namespace(change: Action) -> str:
    match change:
        case Run(namespace) | Start(namespace):
            return namespace
        case Impair(device):
            return device.partition(":")[0]
        case Restart(name):
            return name.partition(":")[0]
