"""One verdict per check: probe, wait for the counters, judge; and again, as long as the check may wait.

A check passes when the probe saw what was expected *and* the packets were counted where the file says. The counters of
an engine may trail a reply by a moment, so they are read until they hold, or until SETTLE seconds have passed. Before
they are read no engine has packets left to carry: those of one check are never counted in another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from labctl.checks.evidence import CountingPoint, Crossed, Meanwhile, Snapshot
from labctl.checks.expected import Expected, Judgement
from labctl.checks.held_back import Kernel, held_back
from labctl.checks.kinds import kind_of
from labctl.checks.needs import in_order, not_asked, unasked
from labctl.checks.results import WANTED, Outcome, Result, Tools
from labctl.errors import ExitCode, LabError
from labctl.frozen import frozen
from labctl.plan.desired import Desired
from labctl.process.patience import Patience, PatienceFor
from labctl.topology.model import Check

SETTLE = 0.5
BETWEEN_TRIES = 0.2


class Watch(Protocol):
    """Who sees the packets of a check where they cross interfaces."""

    def begin(self, check: Check) -> None:
        """See what comes from now on; called before each try of a check."""

    def crossed(self, check: Check, points: Collection[CountingPoint]) -> Crossed:
        """Return whose packets have passed these points since `begin`."""

    def answered_elsewhere(self, check: Check) -> str:
        """Return the namespace that has answered in place of the one that the file means; empty where it has not."""

    def missed(self) -> int:
        """Return how many packets of others were too many to be looked at since `begin`, as the last look found it.

        Whose packets were counted is not known then. The next try leaves out what there was most of.
        """


class NoWatch:
    """No packets are looked at."""

    def begin(self, check: Check) -> None:
        """There is nothing to begin."""

    def crossed(self, check: Check, points: Collection[CountingPoint]) -> Crossed:
        """Return that nothing is known of that."""
        return Crossed()

    def answered_elsewhere(self, check: Check) -> str:
        """Return that nothing is known of that."""
        return ""

    def missed(self) -> int:
        """Return that nothing was to be looked at."""
        return 0


@frozen
class Means:
    """What a check is made with: probes, who sees its packets, counters, what the kernel says, and how long to wait."""

    tools: Tools
    watch: Watch
    observe: Callable[[Collection[CountingPoint]], Snapshot]
    kernel: Kernel
    patience: PatienceFor


def run(desired: Desired, checks: Sequence[Check], means: Means) -> Iterator[Result]:
    """Run checks one after the other, because they count, and yield the result of each.

    What a check needs comes before it, and it is not asked where that has not passed, or something is not reached that
    it is made with.
    """
    means.tools.prepare(checks)
    results: dict[str, Result] = {}
    for check in in_order(checks, checks):
        begun = time.monotonic()
        try:
            result = not_asked(check, results) or _until_it_holds(Expected.of(desired, check), check, means)
        except LabError as error:
            if error.exit_code is not ExitCode.UNREACHABLE:
                raise
            result = unasked(check, f"{error.what}: {error.why}")
        results[check.name] = result = replace(result, seconds=round(time.monotonic() - begun, 3))
        yield result


def _until_it_holds(expected: Expected, check: Check, means: Means) -> Result:
    waiting = means.patience(check.wait) if check.wait else Patience(0)
    for _ in waiting.looks(BETWEEN_TRIES):
        result = _once(expected, check, means)
        if means.watch.missed() or (not result.passed and _may_be_of_neighbours(expected, check, result)):
            result = _once(expected, check, means)
        if result.passed:
            break
    return result


def _may_be_of_neighbours(expected: Expected, check: Check, result: Result) -> bool:
    """Return whether only neighbours may have failed a check: they do not ask twice in a row, what is wrong does."""
    return result.outcome == WANTED[check.expect] and expected.may_be_of_neighbours(result.evidence)


def _once(expected: Expected, check: Check, means: Means) -> Result:
    _come_to_rest(means.patience)
    means.watch.begin(check)
    before = means.observe(expected.points)
    outcome = means.tools.ask(check.probe)
    wanted = WANTED[check.expect]
    # Where the answer is not the wanted one, no count can make it so, and those that are late have had a time-out.
    judgement = _settled(expected, check, before, outcome, means, SETTLE if outcome.state == wanted else 0)
    passed = outcome.state == wanted and judgement.holds
    if passed and wanted == "silent" and check.crosses:
        passed = not held_back(check, means.kernel)
    if outcome.state == wanted and not judgement.holds and (missed := means.watch.missed()):
        why = f"{missed} packets of others were too many to be looked at, so it is not known whose were counted"
        outcome = replace(outcome, state="undecided", words=f"{outcome.words}; {why}")
    observed = outcome.words
    if passed and wanted == "answered" and (other := means.watch.answered_elsewhere(check)):
        passed, observed = False, f"{observed}; it was {other} that answered"
    return Result(
        check.name,
        check.description,
        passed,
        outcome.is_answer_to(wanted),
        outcome.state,
        kind_of(check.probe).expectation(wanted),
        observed,
        judgement.evidence,
        means.tools.typed(check.probe),
        message=_message(check, passed, outcome),
    )


def _message(check: Check, passed: bool, outcome: Outcome) -> str:
    """Return what the file says of it. Its words for a failure explain another answer, not a count."""
    if passed:
        return check.pass_
    wanted = WANTED[check.expect]
    return check.fail if outcome.is_answer_to(wanted) and outcome.state != wanted else ""


def _come_to_rest(patience: PatienceFor) -> None:
    """Wait until no engine has packets left to carry."""
    for _ in patience(0).looks():
        pass


def _settled(
    expected: Expected, check: Check, before: Snapshot, outcome: Outcome, means: Means, seconds: float
) -> Judgement:
    """Return the judgement as soon as it holds or cannot any more, or the last one within so many seconds."""
    _come_to_rest(means.patience)
    for _ in means.patience(seconds).looks():
        after = means.observe(expected.points)
        judgement = expected.judge(
            Meanwhile(before, after, means.watch.crossed(check, expected.points)), outcome.carried
        )
        if judgement.holds or means.watch.missed():
            break
    return judgement
