"""Who runs the checks of a lab, one after the other, again and again.

A view has to show within a second that something broke, and a check may wait much longer for an answer. So a check is
asked briskly: once instead of three times, and waiting only for some times as long as its answer took before. Where
that fails, the verdict says how long was waited; and the next time it is asked as it is written, and explained. The
first that fails after a change is explained at once, for others mostly fail for the same cause.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from labctl.checks.brisk import brisk
from labctl.checks.needs import not_asked
from labctl.checks.probes import Probes
from labctl.checks.results import WANTED, Result
from labctl.checks.run import run
from labctl.diagnosis.verdict import in_a_line
from labctl.errors import LabError
from labctl.lab.challenge import hides
from labctl.lab.explained_here import explainer
from labctl.lab.lock import asking, at_work
from labctl.lab.state import State
from labctl.lab.verify import means_of
from labctl.live.readings import Checked, Listed, Verdict
from labctl.live.turns import Asked, next_check
from labctl.plan.desired import Desired, desired
from labctl.process.line import Line
from labctl.topology.model import Check, Topology

BRISK = 0.2
"""Seconds that are waited for an answer at least."""

TIMES = 4
"""As many times as long as its last answer took a check waits for the next, at least."""

LEAST = 0.005
"""Seconds that count for a check that took less: what is not asked takes none."""

PAUSE = 0.3
"""Seconds without a check while another labctl is at work, or there is no lab."""


@dataclass
class Known:
    """What is known of a check from asking it before."""

    asked: Asked
    passed: bool = False
    answered: float = 0.0  # the seconds that it took when it passed the last time
    as_written: bool = False  # how it is asked the next time
    confirmed: bool = False  # it failed as it is written, and nothing has changed since


class CheckedLab(Protocol):
    """A lab whose checks are asked."""

    def topology(self) -> Topology | None:
        """Return the topology as it was applied, None where there is none. Raise LabError."""

    def changes(self) -> bool:
        """Return whether another command changes the lab now, or has taken it down."""

    def alone(self) -> AbstractContextManager[Ask]:
        """Yield what asks a check, while no other command asks any. Raise LabError, OSError where the lab is gone."""


class Ask(Protocol):
    """What asks the checks of a lab."""

    def briefly(self, check: Check) -> Result:
        """Ask a check, and count only its own packets."""

    def explained(self, check: Check) -> Result:
        """Ask a check; where it fails, the result says why."""


def check(lab: str, line: Line) -> None:
    """Send the verdict of each check as soon as it is there, again and again. Raise Hangup."""
    here, known = _Here(State(lab)), dict[str, Known]()
    while True:
        ask_for_a_while(here, known, line)


def ask_for_a_while(lab: CheckedLab, known: dict[str, Known], line: Line) -> None:
    """Send verdicts of the checks of a lab until none can be asked, and wait a moment then. Raise Hangup."""
    changed = frozenset[str]()
    try:
        while changed := _ask_until_changed(lab, changed, known, line):
            pass
    except (LabError, OSError):  # the lab ends amidst, or its record is damaged: `status` says so
        pass
    changed_within(line, PAUSE)


def _ask_until_changed(lab: CheckedLab, where: frozenset[str], known: dict[str, Known], line: Line) -> frozenset[str]:
    """Ask the checks of a lab, first those that concern some namespaces, until something has changed.

    Return the namespaces in which it has; none where no checks can be asked now.
    """
    topology = lab.topology()
    if topology is None or not topology.checks:
        return frozenset()
    changed = time.monotonic()
    checks = {one.name: one for one in topology.checks}
    concerned = {name for name, one in checks.items() if where.intersection(_namespaces(one))}
    failed: dict[str, Result] = {}  # the last verdicts of those that are confirmed
    line.send([(time.time(), Listed(tuple(checks)))])
    for name in checks:
        known[name] = replace(known.get(name) or Known(Asked(name)), confirmed=False)
    while not lab.changes():
        own = {name: known[name] for name in checks}
        name = _unexplained(own) or next_check((one.asked for one in own.values()), changed, concerned).name
        with lab.alone() as ask:
            now = time.monotonic()
            result = not_asked(checks[name], failed) or _ask(ask, checks[name], known[name])
            took = max(time.monotonic() - now, LEAST)
        if lab.changes():  # it was what that command does that was measured
            break
        known[name] = _learned(known[name], result, now + took, took)
        failed.pop(name, None)
        if known[name].confirmed:
            failed[name] = result
        if _is_telling(result, known[name]):
            line.send([(time.time(), verdict_of(result))])
        due = next_check((known[name].asked for name in checks), changed).due(changed)
        if news := changed_within(line, max(0.0, due - time.monotonic())):
            return news
    return frozenset()


def _unexplained(known: Mapping[str, Known]) -> str | None:
    """Return the check that failed first since something changed, if it is not known why: others wait for that."""
    if any(one.confirmed for one in known.values()):
        return None
    return next((name for name, one in known.items() if one.as_written), None)


def changed_within(line: Line, seconds: float) -> frozenset[str]:
    """Wait for so many seconds, or until something has changed. Return the namespaces in which it has."""
    if not select.select([line], [], [], seconds)[0]:
        return frozenset()
    return frozenset[str]().union(*line.received())


def _namespaces(check: Check) -> Iterator[str]:
    """Yield the namespaces that a check names."""
    yield from check.probe.namespaces.values()
    yield from (ref.namespace for ref in (*check.crosses, *check.quiet))


def _ask(ask: Ask, check: Check, known: Known) -> Result:
    """Ask a check: briefly, or, where it has failed so, as it is written."""
    if known.as_written:
        return ask.explained(check)
    return ask.briefly(brisk(check, max(BRISK, TIMES * known.answered)))


class _Here:
    """A lab that lives here, and its checks."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._wanted: Desired | None = None

    def topology(self) -> Topology | None:
        topology = self._state.topology()
        self._wanted = desired(topology) if topology else None
        return topology

    def changes(self) -> bool:
        return at_work(self._state) or not self._state.begun()

    @contextmanager
    def alone(self) -> Iterator[Ask]:
        with asking(self._state):
            yield self

    def briefly(self, check: Check) -> Result:
        assert self._wanted is not None
        return undisturbed(self._state, self._wanted, check)

    def explained(self, check: Check) -> Result:
        state, wanted = self._state, self._wanted
        assert wanted is not None
        with explainer(state, wanted, [check]) as watch:
            (result,) = run(wanted, [check], means_of(state, state.read(), Probes, watch))
            causes = [] if result.passed or hides(state) else watch.explain(result)
        return replace(result, lost=in_a_line(causes))


def undisturbed(state: State, wanted: Desired, check: Check) -> Result:
    """Run a check; where packets of others may have made it fail, again with a look at whose they are."""
    (result,) = run(wanted, [check], means_of(state, state.read(), Probes))
    if may_be_disturbed(check, result):
        with explainer(state, wanted, [check]) as watch:
            (result,) = run(wanted, [check], means_of(state, state.read(), Probes, watch))
    return result


def may_be_disturbed(check: Check, result: Result) -> bool:
    """Return whether packets of others may have made a check fail: it saw what it wants, and not all counts hold."""
    return result.outcome == WANTED[check.expect] and any(
        found.observed and not found.holds for found in result.evidence
    )


def _learned(known: Known, result: Result, at: float, took: float) -> Known:
    """Return what is known of a check after it was asked at `at`, which took so many seconds."""
    name = known.asked.name
    if result.passed:
        return Known(Asked(name, at, took), True, took)
    if known.confirmed or known.as_written:
        return replace(known, asked=Asked(name, at, took), passed=False, as_written=False, confirmed=True)
    return replace(known, asked=Asked(name, at), as_written=True)  # as if it had taken no time: it is due at once


def _is_telling(result: Result, known: Known) -> bool:
    """Return whether a result is a verdict: silence in a shorter time than is written is one only where it is new."""
    return result.passed or known.confirmed or known.passed or result.outcome != "silent"


def verdict_of(result: Result) -> Checked:
    """Return the verdict of a check as it is told to those who follow the lab."""
    verdict: Verdict = "passed" if result.passed else "failed" if result.asked else "not-asked"
    counted = next((found for found in result.evidence if not found.holds), None)
    told = (
        f"; {counted.place} ({counted.counter}) counted {counted.observed}, not {counted.expected}" if counted else ""
    )
    return Checked(result.name, verdict, f"{result.observed}{told}", result.lost)
