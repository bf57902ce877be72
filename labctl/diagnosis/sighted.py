"""What was seen of the probe's packets: at which stage each was lost, and in words.

Every packet is followed by itself, with the answer to it. So a loss that comes and goes is explained out of the very
packets that were lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from labctl.diagnosis.facts import Case
from labctl.diagnosis.path import Kind
from labctl.diagnosis.verdict import Witness
from labctl.trace.journeys import answers
from labctl.trace.sightings import Journey


def stops(case: Case) -> list[int]:
    """Return the stages at which packets of a probe were lost, the first first; empty where none was."""
    if not case.stages:
        return []
    if not case.probes:
        return [0]
    lost = Counter(_stop(case, probe) for probe in case.probes)
    whole = lost.pop(len(case.stages), 0)
    if not lost and whole and case.outcome != "answered":
        return [len(case.stages) - 1]
    return sorted(lost)


def _stop(case: Case, probe: Journey) -> int:
    """Return the stage behind the last at which a packet, or the answer to it, was seen; past the last for none."""
    mine = [probe, *(each for each in case.answers if answers(probe, each))]
    reached = -1
    for number, stage in enumerate(case.stages):
        if stage.kind in (Kind.READ, Kind.DELIVER):
            continue
        journeys = mine[1:] if stage.back else mine[:1]
        if any(case.is_at(each, stage) for journey in journeys for each in journey.sightings):
            reached = number
    return _behind(case, reached + 1)


def _behind(case: Case, number: int) -> int:
    """Return the stage that took a packet, by what engines counted: they tell of no single packet."""
    while number < len(case.stages) and case.stages[number].kind in (Kind.READ, Kind.DELIVER):
        last = number == len(case.stages) - 1
        if last and case.outcome == "answered":
            return len(case.stages)
        if last or not case.passed(number):
            return number
        number += 1
    return number


def last_seen(case: Case, number: int) -> Iterator[Witness]:
    """Yield where packets were seen last before a stage, and how many."""
    for earlier in range(number - 1, -1, -1):
        seen = list(case.seen_at(earlier))
        if seen:
            stage = case.stages[earlier]
            verb = "left" if stage.outgoing else "arrived"
            what = "answers" if stage.back else "packets"
            yield Witness(stage.place, f"{verb}, seen on the wire", f"{len(seen)} {what}")
            return
    yield Witness(case.asked.sender, "seen on the wire", "no packet of the probe")
