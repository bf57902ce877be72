"""Why the checks of a lab fail: what a diagnosis asks of the lab, and the watch over its namespaces meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial

from labctl.checks.evidence import CountingPoint, Crossed
from labctl.checks.kinds import kind_of
from labctl.checks.results import Result
from labctl.diagnosis import nat, unmet_bounds
from labctl.diagnosis.asked import asked_of
from labctl.diagnosis.crowd import Crowd
from labctl.diagnosis.facts import Case, File, Space
from labctl.diagnosis.firewall import marked
from labctl.diagnosis.gather import Gather, Looked, elsewhere
from labctl.diagnosis.kernel_way import onward
from labctl.diagnosis.last_seen import stops
from labctl.diagnosis.look_ups import look_ups
from labctl.diagnosis.open_ways import taken
from labctl.diagnosis.passages import passed
from labctl.diagnosis.path import Paths
from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.traces import traced
from labctl.diagnosis.translations import NONE, Followed, followed
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.diagnosis.walk import in_question, verdicts
from labctl.diagnosis.whose import apart, is_opaque, is_refusal, seen_of
from labctl.kernel.conntrack import Connection
from labctl.kernel.neighbours import UNRESOLVED
from labctl.kernel.packet_taps import NOTHING
from labctl.plan.change import Change
from labctl.plan.desired import Desired
from labctl.plan.facts import Namespace
from labctl.plan.steps import SetFirewall
from labctl.topology.model import Check

AGAIN = 0.2
"""Seconds that are waited for the answer to a probe that is sent once more."""

PASSED = 6
"""Stages before the first that took a packet about which the kernel is asked all the same."""

NEXT_REQUEST = 1.1
"""Seconds between two ARP requests, at most (arp(7), retrans_time_ms)."""

TIMES = 4
"""Echo requests that are sent once more at most: a rule may take only some."""


class Explainer:
    """Watches the namespaces on the ways of some checks, and explains those that fail."""

    def __init__(self, gather: Gather, file: File, wanted: Desired, checks: Iterable[Check]) -> None:
        self._gather, self._file, self._wanted = gather, file, wanted
        self._paths = paths = Paths(wanted.topology)
        self._checks = {check.name: check for check in checks}
        asked = {name: asked_of(check, paths) for name, check in self._checks.items()}
        self._asked = {name: one for name, one in asked.items() if one is not None}
        self._stages = {name: paths.stages(asked) for name, asked in self._asked.items()}
        self._on_the_way = {name: paths.namespaces(asked) for name, asked in self._asked.items()}
        self._watched = {name: self._around(name) for name in self._asked}
        self._there = gather.watch(list(dict.fromkeys(each for found in self._watched.values() for each in found)))
        self._endpoints = {endpoint.device: endpoint for endpoint in wanted.topology.ttun}
        self._ports = frozenset(end.port for each in wanted.topology.ttun for end in (each.bind, each.peer))
        self._looked, self._crowd = Looked(), Crowd()

    def begin(self, check: Check) -> None:
        """Look from now on, for a check that follows."""
        asked = self._asked.get(check.name)
        self._look(check.name, NOTHING if asked and asked.measured else self._without_crowd(check.name))

    def _look(self, check: str, program: bytes) -> None:
        self._gather.begin(list(self._watched.get(check, ())), program)
        self._looked = Looked()

    def _without_crowd(self, check: str) -> bytes:
        """Return a filter that leaves out what there was too much of to be looked at."""
        return self._crowd.program(self._asked.get(check), self._ports, self._translated(check))

    def _seen(self) -> Looked:
        """Look again, and return what was seen since `begin`; no more is read once packets were missed."""
        if not self._looked.missed:
            self._looked = self._gather.seen()
            if self._looked.missed:
                self._crowd = self._crowd.joined_by(self._looked.packets, self._ports)
        return self._looked

    def missed(self) -> int:
        """Return how many packets the last look found to have been too many to be kept since `begin`."""
        return self._looked.missed

    def _around(self, check: str) -> Iterable[str]:
        """Return the namespaces that the packets of a check may come through: all where the file leads nowhere.

        Where a ruleset may translate them, nothing of the file says where they go.
        """
        stages, one = self._stages[check], self._checks[check]
        nowhere = self._asked[check].answered and any(stage.leads_nowhere for stage in stages)
        if nowhere or self._translated(check):
            return self._wanted.topology.namespaces
        return dict.fromkeys((*self._on_the_way[check], *(ref.namespace for ref in (*one.crosses, *one.quiet))))

    def _translated(self, check: str) -> bool:
        """Return whether a ruleset may translate the packets of a check."""
        return any(self._wanted.topology.namespaces[name].nft for name in self._on_the_way.get(check, ()))

    def crossed(self, check: Check, points: Collection[CountingPoint]) -> Crossed:
        """Return whose packets have passed these points since the check began."""
        asked = self._asked.get(check.name)
        if asked is None or self._seen().missed:  # whose they are is known to the command that is run, or not at all
            return Crossed()
        own, others = apart(asked, self._looked.packets, self._ports)
        kinds = (own, others, filter(is_refusal, own), filter(is_opaque, others))
        found = Crossed(*(passed(points, self._endpoints, packets) for packets in kinds))
        return replace(found, others=dict.fromkeys(points, sys.maxsize)) if self._crowd else found

    def answered_elsewhere(self, check: Check) -> str:
        """Return the namespace that has answered in place of the one that the file means; empty where it has not."""
        asked = self._asked.get(check.name)
        if asked is None or not asked.receiver or not asked.answered or asked.receiver not in self._there:
            return ""
        if self._seen().missed:
            return ""
        _, probes, answers = seen_of(asked, self._looked.packets, self._ports)
        arrived = any(each.station.namespace == asked.receiver for probe in probes for each in probe.sightings)
        made = (each.first.station for each in answers if each.first.station.outgoing)  # else it is not known where
        answering = [station.namespace for station in made]
        return "" if arrived or not answering or asked.receiver in answering else answering[0]

    def explain(self, result: Result) -> list[Verdict]:
        """Return why a check has failed that has just been run; nothing where its packets are not known."""
        asked = self._asked.get(result.name)
        if asked is None or result.outcome == "undecided":
            return []
        if asked.measured and result.outcome == "differs":
            return unmet_bounds.verdicts(self._case(result))
        if asked.measured and result.outcome != "unasked":  # nothing came, which a few packets show as well
            self._look(result.name, self._without_crowd(result.name))
            self._again(result.name)
        if missed := self._seen().missed:
            words = f"what took the packets is not known: {missed} others were too many to be looked at"
            return [Verdict(asked.sender, Reason.UNKNOWN, words, (), "")]
        case = self._case(result)
        names = {stage.namespace for stage in in_question(case)}
        if any(case.space(name).chains for name in names):
            patience = NEXT_REQUEST if any(_waits(case.space(name)) for name in names) else 0.0
            again = partial(self._again, result.name)
            case = replace(case, traced=traced(self._gather, case, again, patience))
            if redirected := followed(nat.redirected(case)):
                case = replace(self._case(result, redirected), traced=case.traced)
            case = self._with_marks(case)
        return verdicts(case)

    def _with_marks(self, case: Case) -> Case:
        """Return a case with the ways that packets take with the marks that the firewall has given them."""
        marks = dict(marked(case))
        if not marks:
            return case
        ways, returns = look_ups(self._gather, case.ways, marks)
        return replace(case, ways=ways, returns=returns)

    def _again(self, name: str) -> None:
        """Send the probe of a check once more, and wait only for as long as its packets need."""
        self._gather.ask(kind_of(self._checks[name].probe).briefly(AGAIN, TIMES))

    def _case(self, result: Result, redirected: Followed = NONE) -> Case:
        """Return what was seen and counted, and then, of the stages that were not passed, what the kernel says."""
        asked, stages = self._asked[result.name], self._stages[result.name]
        found = self._found
        translated = {**redirected, **followed(self._connections(stage.namespace for stage in stages))}
        every, probes, answers = seen_of(asked, self._seen().packets, self._ports)
        if translated or any(stage.is_open for stage in stages):
            stages = taken(self._gather, self._paths, asked, translated, (every, probes, answers), found)
        if stages and asked.answered:
            stages = tuple(onward(self._gather, self._paths, stages, found))
        case = Case(
            self._wanted.topology,
            self._file,
            asked,
            stages,
            {name: elsewhere(space) for name, space in found.items()},
            self._gather.engines(),
            cables=self._gather.cables(),
            journeys=every,
            probes=probes,
            answers=answers,
            followed={name for name, *_ in translated},
            changes=self._changes,
            outcome=result.outcome,
            observed=result.observed,
            miscounted=[
                Witness(each.place, each.counter, f"{each.observed} packets, not {each.expected}")
                for each in result.evidence
                if not each.holds
            ],
        )
        passed = max(min(stops(case), default=0) - PASSED, 0)
        open_ = (*stages[:1], *stages[passed:])
        ahead = {stage.namespace for stage in open_}
        around = [name for name in self._on_the_way[result.name] if not passed or name in ahead]
        spaces = self._gather.spaces(list(dict.fromkeys((*around, *ahead))))
        ways, returns = look_ups(self._gather, dict.fromkeys(open_))
        return replace(case, spaces={**case.spaces, **spaces}, ways=ways, returns=returns)

    def _connections(self, names: Iterable[str]) -> Iterator[tuple[str, Connection]]:
        """Yield the connections of those namespaces that have a ruleset by the file, and have it still."""
        lost = {change.step.namespace for change in self._changes if isinstance(change.step, SetFirewall)}
        translating = [name for name in dict.fromkeys(names) if self._wanted.topology.namespaces[name].nft]
        for name, found in self._gather.connections([name for name in translating if name not in lost]).items():
            yield from ((name, each) for each in found)

    @cached_property
    def _found(self) -> Mapping[str, Namespace]:
        return self._gather.namespaces()

    @cached_property
    def _changes(self) -> Sequence[Change]:
        return self._gather.changes()


def _waits(space: Space) -> bool:
    """Return whether packets of a namespace wait for the link-layer address of a neighbour."""
    return any(each.state in UNRESOLVED for found in space.neighbours.values() for each in found)
