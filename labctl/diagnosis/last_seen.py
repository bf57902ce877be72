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
from labctl.trace.dissect import Icmp, Tcp
from labctl.trace.journeys import answers
from labctl.trace.ladder import error_words
from labctl.trace.sightings import Journey, Sighting


def stops(case: Case) -> list[int]:
    """Return the stages at which packets of a probe were lost, the first first; empty where none was."""
    if not case.stages:
        return []
    if not case.probes:
        return [0]
    lost = Counter(_stop(case, probes) for probes in _alike(case))
    whole = lost.pop(len(case.stages), 0)
    if not lost and whole and case.outcome != "answered":
        return [len(case.stages) - 1]
    if len(lost) > 1:
        lost.pop(len(case.stages) - 1, None)  # of answers that came, none tells which the probe did not get
    return sorted(lost)


def _alike(case: Case) -> list[list[Journey]]:
    """Return the packets of a probe that are followed together: each by itself, those of a connection as one.

    Of a connection the packets with payload are followed by themselves, for they are larger. Where there are none
    although some were to be sent, it was never opened: what should have completed it is followed by itself.
    """
    if case.asked.protocol != "tcp":
        return [[probe] for probe in case.probes]
    rest = list(filter(_is_loaded, case.probes))
    if not rest and case.asked.size:
        rest = [probe for probe in case.probes if not _opens(probe)]
    return [each for each in ([probe for probe in case.probes if probe not in rest], rest) if each]


def _is_loaded(journey: Journey) -> bool:
    return bool(journey.packet and journey.packet.payload)


def _opens(journey: Journey) -> bool:
    """Return whether a packet opens a connection: a SYN, or the answer to it, which may be sent again and again."""
    transport = journey.packet.transport if journey.packet else None
    return isinstance(transport, Tcp) and "SYN" in transport.flags


def _stop(case: Case, probes: list[Journey]) -> int:
    """Return the first stage at whose end neither packets nor their answers were seen; past the last where none is.

    A connection is merged and split on its way, so of that the stage behind the last one counts.
    """
    answered = [each for each in case.answers if any(answers(probe, each) for probe in probes)]
    if not any(map(_opens, probes)):
        answered = [each for each in answered if not _opens(each)]
    passed = {number for number in range(len(case.stages)) if _is_seen(case, number, probes, answered)}
    if case.asked.protocol == "tcp":
        return _behind(case, max(passed, default=-1) + 1)
    number = 0
    while number < len(case.stages):
        if case.stages[number].kind in (Kind.READ, Kind.DELIVER):
            if not any(later > number for later in passed):
                return _behind(case, number)
        elif number not in passed:
            return number
        number += 1
    return number


def _is_seen(case: Case, number: int, probes: list[Journey], answered: list[Journey]) -> bool:
    stage = case.stages[number]
    journeys = answered if stage.back else probes
    return any(
        case.is_at(each, stage) and _is_followed_by_its_last(each, journey)
        for journey in journeys
        for each in journey.sightings
    )


def _is_followed_by_its_last(sighting: Sighting, journey: Journey) -> bool:
    """Return whether the last fragment of a packet was seen where the first was; also where it is in one piece."""
    first = sighting.layers[0]
    there = (each.layers[0] for each in journey.sightings if each.station == sighting.station and each.layers)
    return not first.more_fragments or any(each.fragment_at and not each.more_fragments for each in there)


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
            what = "answer" if stage.back else "packet"
            yield Witness(stage.place, verb, f"{len(seen)} {what}{'s' * (len(seen) != 1)} seen on the wire")
            return
    yield Witness(case.asked.sender, "sent", "no packet of the probe was seen on the wire")


def refusals(case: Case) -> Iterator[Witness]:
    """Yield which namespaces told by ICMP that packets of the probe do not arrive, and how often."""
    told: Counter[tuple[str, str]] = Counter()
    for journey in case.journeys:
        message = journey.packet.transport if journey.packet else None
        if isinstance(message, Icmp) and message.is_error and any(answers(probe, journey) for probe in case.probes):
            told[journey.first.station.namespace, error_words(message)] += 1
    for (namespace, words), count in told.items():
        yield Witness(namespace, "says", f"ICMP {words}" + (f", {count} times" if count > 1 else ""))
