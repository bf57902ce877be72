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
from dataclasses import dataclass, replace

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
from labctl.topology.model import Check

BRISK = 0.2
"""Seconds that are waited for an answer at least."""

TIMES = 4
"""As many times as long as its last answer took a check waits for the next, at least."""

LEAST = 0.005
"""Seconds that count for a check that took less: what is not asked takes none."""

PAUSE = 0.3
"""Seconds without a check while another labctl is at work, or there is no lab."""


@dataclass
class _Known:
    """What is known of a check from asking it before."""

    asked: Asked
    passed: bool = False
    answered: float = 0.0  # the seconds that it took when it passed the last time
    as_written: bool = False  # how it is asked the next time
    confirmed: bool = False  # it failed as it is written, and nothing has changed since


def check(lab: str, line: Line) -> None:
    """Send the verdict of each check as soon as it is there, again and again. Raise Hangup."""
    state, known = State(lab), dict[str, _Known]()
    changed = frozenset[str]()
    while True:
        try:
            changed = _ask_until_changed(state, changed, known, line)
        except (LabError, OSError):  # the lab ends amidst, or its record is damaged: `status` says so
            changed = frozenset()
        changed = changed or changed_within(line, PAUSE)


def _ask_until_changed(state: State, where: frozenset[str], known: dict[str, _Known], line: Line) -> frozenset[str]:
    """Ask the checks of a lab, first those that concern some namespaces, until something has changed.

    Return the namespaces in which it has; none where no checks can be asked now.
    """
    topology = state.topology()
    if topology is None or not topology.checks:
        return frozenset()
    wanted, changed = desired(topology), time.monotonic()
    checks = {one.name: one for one in topology.checks}
    concerned = {name for name, one in checks.items() if where.intersection(_namespaces(one))}
    failed: dict[str, Result] = {}  # the last verdicts of those that are confirmed
    line.send([(time.time(), Listed(tuple(checks)))])
    for name in checks:
        known[name] = replace(known.get(name) or _Known(Asked(name)), confirmed=False)
    while not at_work(state):
        own = {name: known[name] for name in checks}
        name = _unexplained(own) or next_check((one.asked for one in own.values()), changed, concerned).name
        with asking(state):
            now = time.monotonic()
            result = not_asked(checks[name], failed) or _ask(state, wanted, checks[name], known[name])
            took = max(time.monotonic() - now, LEAST)
        if at_work(state) or not state.begun():  # another labctl has taken the lab apart meanwhile, or still makes it
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


def _unexplained(known: Mapping[str, _Known]) -> str | None:
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


def _ask(state: State, wanted: Desired, check: Check, known: _Known) -> Result:
    """Ask a check. Where it fails as it is written, that is explained."""
    if not known.as_written:
        return undisturbed(state, wanted, brisk(check, max(BRISK, TIMES * known.answered)))
    with explainer(state, wanted, [check]) as watch:
        (result,) = run(wanted, [check], means_of(state, state.read(), Probes, watch))
        causes = [] if result.passed or hides(state) else watch.explain(result)
    return replace(result, lost=in_a_line(causes))


def undisturbed(state: State, wanted: Desired, check: Check) -> Result:
    """Run a check; where packets of others may have made it fail, again with a look at whose they are."""
    (result,) = run(wanted, [check], means_of(state, state.read(), Probes))
    if result.outcome == WANTED[check.expect] and any(found.observed and not found.holds for found in result.evidence):
        with explainer(state, wanted, [check]) as watch:
            (result,) = run(wanted, [check], means_of(state, state.read(), Probes, watch))
    return result


def _learned(known: _Known, result: Result, at: float, took: float) -> _Known:
    """Return what is known of a check after it was asked at `at`, which took so many seconds."""
    name = known.asked.name
    if result.passed:
        return _Known(Asked(name, at, took), True, took)
    if known.confirmed or known.as_written:
        return replace(known, asked=Asked(name, at, took), passed=False, as_written=False, confirmed=True)
    return replace(known, asked=Asked(name, at), as_written=True)  # as if it had taken no time: it is due at once


def _is_telling(result: Result, known: _Known) -> bool:
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
