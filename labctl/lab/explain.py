"""Why the checks of a lab fail: what a diagnosis needs of the lab, and the watch over its namespaces meanwhile."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

from labctl.checks.evidence import CountingPoint, Crossed
from labctl.checks.kinds import kind_of
from labctl.checks.probes import Probes
from labctl.checks.results import Result
from labctl.diagnosis import gather, nat, unmet_bounds
from labctl.diagnosis.asked import asked_of
from labctl.diagnosis.facts import Case, Engine, File, Space
from labctl.diagnosis.firewall import marked
from labctl.diagnosis.kernel_way import onward
from labctl.diagnosis.last_seen import stops
from labctl.diagnosis.passages import passed
from labctl.diagnosis.path import Paths
from labctl.diagnosis.translations import NONE, Followed, followed
from labctl.diagnosis.verdict import Verdict, Witness
from labctl.diagnosis.walk import in_question, verdicts
from labctl.diagnosis.whose import apart, seen_of
from labctl.errors import LabError
from labctl.kernel import namespaces
from labctl.kernel.conntrack import Connection, connections
from labctl.kernel.neighbours import UNRESOLVED
from labctl.kernel.packet_taps import EVERYTHING, NOTHING
from labctl.lab.capture import tunnel_ports
from labctl.lab.engines.stats import EngineStats
from labctl.lab.journal import Recorded
from labctl.lab.observed import facts
from labctl.lab.state import State
from labctl.plan.change import Change
from labctl.plan.desired import Desired
from labctl.plan.facts import Facts
from labctl.plan.plan import between
from labctl.plan.steps import SetFirewall
from labctl.process.patience import Patience
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Check
from labctl.topology.shipped import as_typed

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

    def __init__(self, state: State, wanted: Desired, checks: Iterable[Check]) -> None:
        self._state, self._wanted = state, wanted
        self._recorded: Recorded = state.read()
        self._paths = paths = Paths(wanted.topology)
        self._checks = {check.name: check for check in checks}
        asked = {name: asked_of(check, paths) for name, check in self._checks.items()}
        self._asked = {name: one for name, one in asked.items() if one is not None}
        self._stages = {name: paths.stages(asked) for name, asked in self._asked.items()}
        self._on_the_way = {name: paths.namespaces(asked) for name, asked in self._asked.items()}
        self._watched = {name: self._around(name) for name in self._asked}
        self._watch = gather.Watch(dict.fromkeys(each for found in self._watched.values() for each in found))
        self._ports = tunnel_ports(self._recorded)
        self._endpoints = {endpoint.device: endpoint for endpoint in wanted.topology.ttun}
        self._counted: dict[InterfaceRef, dict[str, int]] = {}

    def __enter__(self) -> Explainer:
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.close()

    def begin(self, check: Check) -> None:
        """Look from now on, for a check that follows."""
        asked = self._asked.get(check.name)
        self._look(check.name, NOTHING if asked and asked.measured else EVERYTHING)

    def _look(self, check: str, program: bytes) -> None:
        self._counted = {device: self._counters(device) for device in self._recorded.engines}
        self._watch.begin(self._watched.get(check, ()), program)

    def _around(self, check: str) -> Iterable[str]:
        """Return the namespaces that the packets of a check may come through: all where the file leads nowhere.

        Where a ruleset may translate them, nothing of the file says where they go.
        """
        stages, one = self._stages[check], self._checks[check]
        nowhere = self._asked[check].answered and any(stage.leads_nowhere for stage in stages)
        nowhere = nowhere or any(self._wanted.topology.namespaces[name].nft for name in self._on_the_way[check])
        if nowhere:
            return self._wanted.topology.namespaces
        return dict.fromkeys((*self._on_the_way[check], *(ref.namespace for ref in (*one.crosses, *one.quiet))))

    def crossed(self, check: Check, points: Collection[CountingPoint]) -> Crossed:
        """Return whose packets have passed these points since the check began."""
        asked = self._asked.get(check.name)
        if asked is None:  # only the command that is run knows
            return Crossed()
        own, others = apart(asked, self._watch.crossed(), self._ports)
        return Crossed(*(passed(points, self._endpoints, packets) for packets in (own, others)))

    def answered_elsewhere(self, check: Check) -> str:
        """Return the namespace that has answered in place of the one that the file means; empty where it has not."""
        asked = self._asked.get(check.name)
        if asked is None or not asked.receiver or not asked.answered or asked.receiver not in self._watch.names:
            return ""
        _, probes, answers = seen_of(asked, self._watch.crossed(), self._ports)
        arrived = any(each.station.namespace == asked.receiver for probe in probes for each in probe.sightings)
        answering = [each.first.station.namespace for each in answers]
        return "" if arrived or not answering or asked.receiver in answering else answering[0]

    def explain(self, result: Result) -> list[Verdict]:
        """Return why a check has failed that has just been run; nothing where its packets are not known."""
        asked = self._asked.get(result.name)
        if asked is None or result.outcome == "undecided":
            return []
        if asked.measured and result.outcome == "differs":
            return unmet_bounds.verdicts(self._case(result))
        if asked.measured:  # nothing came of it, which a few packets show as well: those are looked at
            self._look(result.name, EVERYTHING)
            self._again(result.name)
        case = self._case(result)
        names = in_question(case)
        if any(case.space(name).chains for name in names):
            patience = NEXT_REQUEST if any(_waits(case.space(name)) for name in names) else 0.0
            again = partial(self._again, result.name)
            case = replace(case, traced=gather.traced(case, again, patience))
            if redirected := followed(nat.redirected(case)):
                case = replace(self._case(result, redirected), traced=case.traced)
            case = self._with_marks(case)
        return verdicts(case)

    def _with_marks(self, case: Case) -> Case:
        """Return a case with the ways that packets take with the marks that the firewall has given them."""
        marks = dict(marked(case))
        if not marks:
            return case
        ways, returns = gather.look_ups(case.ways, marks)
        return replace(case, ways=ways, returns=returns)

    def _again(self, name: str) -> None:
        """Send the probe of a check once more, and wait only for as long as its packets need."""
        Probes(Patience).ask(kind_of(self._checks[name].probe).briefly(AGAIN, TIMES))

    def _case(self, result: Result, redirected: Followed = NONE) -> Case:
        """Return what was seen and counted, and then, of the stages that were not passed, what the kernel says."""
        asked, stages = self._asked[result.name], self._stages[result.name]
        found = self._facts.namespaces
        translated = {**redirected, **followed(self._connections(stage.namespace for stage in stages))}
        if translated:
            stages = self._paths.stages(asked, translated)
        if stages and asked.answered:
            stages = tuple(onward(stages, found))
        every, probes, answers = seen_of(asked, self._watch.crossed(), self._ports)
        case = Case(
            self._wanted.topology,
            self._file,
            asked,
            stages,
            {name: gather.elsewhere(space) for name, space in found.items()},
            dict(self._engines()),
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
        spaces = {name: gather.space(name, found.get(name), self._watch) for name in dict.fromkeys((*around, *ahead))}
        ways, returns = gather.look_ups(dict.fromkeys(open_))
        return replace(case, spaces={**case.spaces, **spaces}, ways=ways, returns=returns)

    def _connections(self, names: Iterable[str]) -> Iterator[tuple[str, Connection]]:
        """Yield the connections of those namespaces that have a ruleset by the file, and have it still."""
        lost = {change.step.namespace for change in self._changes if isinstance(change.step, SetFirewall)}
        for name in dict.fromkeys(names):
            if self._wanted.topology.namespaces[name].nft and name in self._facts.namespaces and name not in lost:
                with namespaces.inside(name):
                    yield from ((name, each) for each in connections())

    @cached_property
    def _facts(self) -> Facts:
        return facts(self._state, self._recorded, self._wanted)

    @cached_property
    def _changes(self) -> tuple[Change, ...]:
        return between(self._wanted, self._facts).changes

    @cached_property
    def _file(self) -> File:
        file = self._recorded.file
        path = min(file, os.path.relpath(file), key=len) if file else ""
        return File(as_typed(file), path, partial(_lines, file, self._wanted))

    def _counters(self, device: InterfaceRef) -> dict[str, int]:
        return EngineStats.of(device, self._state).counters

    def _engines(self) -> Iterator[tuple[InterfaceRef, Engine]]:
        for device, engine in self._recorded.engines.items():
            running, before = self._facts.engines.get(device), self._counted.get(device, {})
            alive = engine.process.alive()
            yield (
                device,
                Engine(
                    device,
                    engine.process.pid,
                    alive,
                    alive and engine.process.stopped(),
                    str(engine.spec.bind),
                    str(engine.spec.peer),
                    " ".join(engine.spec.program),
                    {
                        way: str(each)
                        for way, each in (running.impairments if running else {}).items()
                        if str(each) != "none"
                    },
                    {name: count - before.get(name, 0) for name, count in self._counters(device).items()},
                ),
            )


def _waits(space: Space) -> bool:
    """Return whether packets of a namespace wait for the link-layer address of a neighbour."""
    return any(each.state in UNRESOLVED for found in space.neighbours.values() for each in found)


def _lines(file: str, wanted: Desired) -> dict[tuple[str | int, ...], int]:
    """Return where the parts of a file stand, by their paths; none where it is not what the lab was made from.

    The lines of a ruleset are parts of it, by their numbers. The paths have the names of namespaces in
    the lab, which may be called otherwise than in its file.
    """
    from labctl.topology import yaml_tree
    from labctl.topology.load import load_routed, text_of
    from labctl.topology.rename import renamed
    from labctl.topology.rulesets import At, Rulesets

    lab = wanted.topology.name
    try:
        if not file or renamed(written := load_routed(Path(file)), lab).topology != wanted.topology:
            return {}
    except LabError:  # it has mistakes by now, or is gone
        return {}
    topology = written.topology
    text = text_of(Path(file))
    tree = yaml_tree.read(text)
    if tree is None:
        return {}
    rulesets = Rulesets(text)
    of_rulesets: dict[tuple[str | int, ...], int] = {
        ("namespaces", name, "nft", number): place.line + 1
        for name, space in topology.namespaces.items()
        for number, _ in enumerate((space.nft or "").splitlines(), 1)
        if (place := rulesets.position(space.nft or "", At(number, 1)))
    }
    of_parts = {path: tree.position(path).line + 1 for path in _paths(tree.root.value)}
    prefix = f"{lab}-" if lab != topology.name else ""
    return {_prefixed(path, prefix): line for path, line in (of_parts | of_rulesets).items()}


def _prefixed(path: tuple[str | int, ...], prefix: str) -> tuple[str | int, ...]:
    """Return the path of a part of a file in a lab whose namespaces have a prefix."""
    match path:
        case "namespaces", name, *inside:
            return "namespaces", f"{prefix}{name}", *inside
    return path


def _paths(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in items:
        yield from _paths(inside, (*path, key))
