"""The order of questions: a packet is followed along its way, up to the first stage that took it.

Sightings come first: whatever lies before the last place at which a packet was seen has passed it on, and that refutes
every cause there. At the stage behind it questions are asked in the order in which the kernel handles a packet. Some
ask for a state that by itself loses every packet (a link that is down, no route): a state is asked for at the later
stages, too, so that a second cause is found along with the first. Others need a packet that was lost just there (what
was counted, what a firewall's trace says), and are asked only there, and only where no state explains it.

A packet that no question explains is lost between two places, and that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from labctl.diagnosis import (
    addresses,
    cables,
    destinations,
    engines,
    filters,
    firewall,
    fixes,
    links,
    nat,
    neighbours,
    routes,
    settings,
    sizes,
    sockets,
    undescribed,
    wrong_answers,
)
from labctl.diagnosis.facts import Case
from labctl.diagnosis.last_seen import last_seen, refusals, stops
from labctl.diagnosis.path import Kind, Stage
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.symptoms import namespace_of, without_symptoms
from labctl.diagnosis.verdict import Verdict, Witness

Question = Callable[[Case, int], Iterator[Verdict]]

_LEAVING = (
    engines.ends,
    links.at_end,
    engines.runs,
    addresses.source,
    routes.out,
    neighbours.without_arp,
    neighbours.wrong,
)
_STATES: Mapping[Kind, tuple[Question, ...]] = {
    Kind.SEND: _LEAVING,
    Kind.CROSS: (links.at_end,),
    Kind.SWITCH: (links.at_end,),
    Kind.FORWARD: (
        *(settings.forwarding, settings.reverse_path, settings.martian, routes.came_back),
        *_LEAVING,
    ),
    Kind.DELIVER: (
        *(addresses.target, settings.reverse_path, settings.martian, engines.ends, engines.runs, engines.bound),
        *(sockets.server, settings.echo),
    ),
    Kind.READ: (engines.runs,),
    Kind.WRITE: (engines.runs,),
}
"""What loses every packet of a stage by itself."""

_ON_THE_WAY_OUT = (
    *(
        routes.left_elsewhere,
        nat.translated,
        firewall.changed,
        nat.rewritten,
        filters.policy,
        filters.queue,
        filters.express,
        sizes.next_mtu,
    ),
    neighbours.unresolved,
)
_EVENTS: Mapping[Kind, tuple[Question, ...]] = {
    Kind.SEND: _ON_THE_WAY_OUT,
    Kind.CROSS: (neighbours.other_host, sizes.next_mtu, filters.queue, filters.express, cables.drops),
    Kind.SWITCH: (neighbours.other_host, links.flooding, sizes.next_mtu, filters.queue, filters.express),
    Kind.FORWARD: (settings.time_to_live, destinations.of_none, *_ON_THE_WAY_OUT),
    Kind.DELIVER: (
        *(filters.queue, filters.express, nat.translated, firewall.changed, nat.rewritten, filters.corrupted),
        *(filters.policy, settings.echo_limited, sockets.buffers, engines.stranger),
    ),
    Kind.READ: (engines.drops, engines.impaired, filters.overflow),
    Kind.WRITE: (engines.drops, engines.impaired),
}
"""What is known of a packet that was lost at just this stage."""

_COUNTED = (engines.drops, cables.drops, filters.queue, filters.overflow)
"""Questions of these that ask for what was counted, and so for what was lost of packets that were sent again."""


def verdicts(case: Case) -> list[Verdict]:
    """Return the causes for which a check failed, each once; what is not known as UNKNOWN. There is at least one."""
    return [fixes.by_hand(case, verdict) for verdict in _verdicts(case)]


def _verdicts(case: Case) -> list[Verdict]:
    lost_at = stops(case)
    behind = [case.stages[each] for number in lost_at[:1] for each in _span(case, number)]
    if beyond := list(undescribed.way_through(case, behind)):
        return beyond[:1]
    wrongly_sent = list(routes.source(case, 0)) if case.stages else []
    if wrongly_sent and lost_at and case.stages[lost_at[0]].depth == 0 and lost_at[0] > 0:
        return [_seen(case, lost_at[0], verdict) for verdict in wrongly_sent]
    causes = {number: explained(case, number) for number in lost_at}
    found = [_seen(case, number, verdict) for number, told in causes.items() for verdict in told]
    first, reached = min(lost_at, default=len(case.stages)), _reached(case)
    for number in range(first + 1, len(case.stages)):
        if wrongly_sent and case.stages[number].back:
            break  # what the kernel says there is of answers to another address
        if (
            number not in lost_at
            and not _is_refuted(case, number, reached)
            and not nat.may_translate(case, first, number)
        ):
            found += (_placed(case.stages[number], verdict) for verdict in _asked(case, number, _STATES))
    known = without_symptoms(_each_once(found)) or list(wrong_answers.by_another(case))
    if not known and (told := list(sizes.where_smaller_pass(case)) or _sent_again(case)):
        return told
    unknown = (number for number, told in causes.items() if not told and not _is_told(case, number, known))
    found = [*known, *(_seen(case, number, _unknown(case, number)) for number in unknown)]
    return found or list(sizes.cut(case)) or [_miscounted(case)]


def _is_refuted(case: Case, number: int, reached: Mapping[bool, int]) -> bool:
    """Return whether nothing at a later stage can lose every packet: some have passed it, or none need come to it.

    A packet for an address that no namespace has may end up anywhere. Without its next hop on the link none is sent.
    """
    stage = case.stages[number]
    beside = stage.leads_nowhere and not destinations.has_owner(case, stage)
    beside = beside or any(neighbours.in_vain(case, each) for each in case.stages[:number])
    return beside or reached.get(stage.back, -1) >= number


def _reached(case: Case) -> dict[bool, int]:
    """Return the last stage at whose end a packet was seen, on the way there (False) and back (True)."""
    return {stage.back: number for number, stage in enumerate(case.stages) if any(True for _ in case.seen_at(number))}


def _each_once(found: Iterable[Verdict]) -> list[Verdict]:
    """Return the first verdict of each hop and reason; a rule that takes packets there and back is one cause."""
    first: dict[tuple[str, Reason], Verdict] = {}
    for verdict in found:
        again = any(
            each.words == verdict.words and namespace_of(each) == namespace_of(verdict) for each in first.values()
        )
        if not again:
            first.setdefault((verdict.hop, verdict.reason), verdict)
    return list(first.values())


def _is_told(case: Case, number: int, known: Iterable[Verdict]) -> bool:
    """Return whether one of the causes is at a stage, or in the namespace that its packets come to next.

    Where nothing was sent, it may also be at the end that should listen.
    """
    ahead = [case.stages[number], *[each for each in case.stages[number:] if each.arrives][:1]]
    names = {stage.namespace for stage in ahead} | {case.stages[each].namespace for each in _span(case, number)}
    if case.outcome == "unasked" and not case.probes:
        names.add(case.asked.receiver)
    return any(namespace_of(verdict) in names for verdict in known)


def _sent_again(case: Case) -> list[Verdict]:
    """Return what took packets of a connection that were sent again: the last are seen further than the first."""
    if case.asked.protocol != "tcp":
        return []
    questions = {kind: [each for each in asked if each in _COUNTED] for kind, asked in _EVENTS.items()}
    found = (
        _placed(stage, verdict)
        for number, stage in enumerate(case.stages)
        for verdict in _asked(case, number, questions)
    )
    return [replace(verdict, evidence=(*verdict.evidence, *case.miscounted)) for verdict in _each_once(found)]


def _miscounted(case: Case) -> Verdict:
    """Return that all packets were seen where the file says, and other numbers were counted than expected."""
    words = "all packets were seen on their way, and other numbers were counted than the file asks for"
    return Verdict(case.asked.sender, Reason.UNKNOWN, f"{words}; why is not known", tuple(case.miscounted), "")


def in_question(case: Case) -> set[Stage]:
    """Return the stages that may have taken a packet: those at which packets were lost."""
    return {case.stages[each] for number in stops(case) for each in _span(case, number)}


def explained(case: Case, number: int) -> list[Verdict]:
    """Return the causes that took a packet at a stage: by state, or else by what was counted and seen there."""
    span = _span(case, number)
    by_state = [verdict for each in span for verdict in (*_asked(case, each, _STATES), *firewall.dropped(case, each))]
    return by_state or [verdict for each in span for verdict in _asked(case, each, _EVENTS)]


def _span(case: Case, number: int) -> list[int]:
    """Return the stages between the last place where a packet was seen and the next where it would be.

    A packet waits at SEND and FORWARD until the next hop has answered, and so needs the links up to there. Between a
    request that is taken in and its answer nothing is seen, nor between an engine that reads and what it sends.
    """
    numbers = [number]
    while numbers[-1] + 1 < len(case.stages):
        stage, following = case.stages[numbers[-1]], case.stages[numbers[-1] + 1]
        on_the_link = following.kind in (Kind.CROSS, Kind.SWITCH) and stage.kind is not Kind.READ
        waits = on_the_link and any(case.stages[each].kind in (Kind.SEND, Kind.FORWARD) for each in numbers)
        makes = following.kind is Kind.SEND and stage.kind in (Kind.READ, Kind.DELIVER)
        if not (waits or makes):
            break
        numbers.append(numbers[-1] + 1)
    return numbers


def _asked(case: Case, number: int, questions: Mapping[Kind, Sequence[Question]]) -> list[Verdict]:
    stage = case.stages[number]
    if case.space(stage.namespace).gone:
        return [links.gone(case, stage.namespace)]
    return [verdict for question in questions[stage.kind] for verdict in question(case, number)]


def _seen(case: Case, number: int, verdict: Verdict) -> Verdict:
    """Return a verdict with what was seen of the packets, as its first evidence."""
    placed = next((_placed(case.stages[each], verdict) for each in _span(case, number)), verdict)
    return replace(placed, evidence=(*last_seen(case, number), *refusals(case), *verdict.evidence))


def _placed(stage: Stage, verdict: Verdict) -> Verdict:
    """Return a verdict with its hop in words: the namespace, and which way the packet goes there."""
    namespace, _, interface = verdict.hop.partition(":")
    if namespace != stage.namespace or interface not in (stage.arrives, stage.leaves) or not interface:
        return verdict
    way = f"in from {interface}" if interface == stage.arrives else f"out by {interface}"
    back = " back" if stage.back else ""
    return replace(verdict, where=f"{namespace}, on the way{back} {way}")


def _unknown(case: Case, number: int) -> Verdict:
    if case.outcome == "unasked" and not case.probes:
        seen = Witness(case.asked.sender, "says", case.observed)
        return Verdict(case.asked.sender, Reason.NOT_STARTED, case.observed, (seen,), "")
    after = case.stages[number].place
    before = case.stages[number - 1].place if number else case.asked.sender
    if case.all_seen_at(number):
        before = after
    several = before != after
    between, where = (f"{before} and {after}", f"between {before} and {after}") if several else (before, f"at {before}")
    moved = [
        Witness(namespace, name, f"+{count}")
        for namespace in dict.fromkeys(place.partition(":")[0] for place in (before, after))
        for name, count in case.space(namespace).moved.items()
        if _tells_of_loss(name)
    ]
    words = f"the packet was lost {where}; what took it is not known"
    return Verdict(between, Reason.UNKNOWN, words, tuple(moved), "", where=where if several else "")


def _tells_of_loss(name: str) -> bool:
    return any(word in name for word in ("Err", "Discard", "Drop", "Fail", "NoRoute", "NoPort", "Filter", "Prune"))
