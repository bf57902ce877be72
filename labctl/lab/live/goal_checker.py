"""Who judges the checks that a student is to make hold: green within a second, and never by mistake.

A check is asked briskly, again and again. Where that says something new, it is asked once more as it is written, and
only that is a verdict: what holds for one packet need not hold for the bounds of the check, and what does not hold is
explained.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from labctl.checks.brisk import brisk
from labctl.checks.needs import not_asked
from labctl.checks.probes import Probes
from labctl.checks.results import Result
from labctl.checks.run import run
from labctl.diagnosis.verdict import in_a_line
from labctl.errors import LabError
from labctl.lab.explained_here import explainer
from labctl.lab.live import record
from labctl.lab.live.checker import PAUSE, changed_within, undisturbed, verdict_of
from labctl.lab.lock import asking, at_work
from labctl.lab.state import State, applied
from labctl.lab.verify import means_of
from labctl.live.readings import Listed
from labctl.plan.desired import Desired, desired
from labctl.process.line import Line
from labctl.topology.model import Check

BRISK = 0.25
"""Seconds that are waited for an answer at least."""

OPEN, REACHED = 0.4, 3.0
"""Seconds between two rounds without a change, while some checks do not hold and once all do."""

AGAIN = 10.0
"""Seconds after which the explanation of a failed check is worked out anew."""


def check_goals(lab: str, line: Line, checks: Sequence[Check]) -> None:
    """Send the verdict of each check whenever it is another one, for as long as the lab is followed. Raise Hangup."""
    state, known = State(lab), dict[str, Result]()
    explained: dict[str, float] = {}  # when, in seconds of the monotonic clock
    wanted: Desired | None = None
    read = record.NONE  # the stamp of the record that it is of
    line.send([(time.time(), Listed(tuple(check.name for check in checks)))])
    while True:
        pause = PAUSE
        try:
            if not at_work(state):
                if wanted is None or record.stamp(state) != read:
                    read = record.stamp(state)
                    wanted = desired(applied(state))
                for check in checks:
                    _judge(state, wanted, check, known, explained, line)
                pause = REACHED if all(result.passed for result in known.values()) else OPEN
        except (LabError, OSError):  # the lab ends amidst: it will be made anew, or `status` says what is wrong
            known.clear()
        changed = changed_within(line, pause)
        if changed:
            explained.clear()
        if "" in changed:  # the lab itself: what was sent before it was known to be there counts for nothing
            known.clear()


def _judge(
    state: State,
    wanted: Desired,
    check: Check,
    known: dict[str, Result],
    explained: dict[str, float],
    line: Line,
) -> None:
    """Ask a check, and send its verdict if it is a new one."""
    before, now = known.get(check.name), time.monotonic()
    with asking(state):
        result = not_asked(check, {name: one for name, one in known.items() if not one.passed})
        if result is None:
            result = undisturbed(state, wanted, brisk(check, BRISK))
            is_old = before is not None and before.passed == result.passed
            if is_old and (result.passed or now - explained.get(check.name, 0.0) < AGAIN):
                return
            result = _as_written(state, wanted, check)
            explained[check.name] = time.monotonic()
    if at_work(state) or not state.begun():  # another labctl changes the lab: it was that which was measured
        return
    known[check.name] = result
    line.send([(time.time(), verdict_of(result))])


def _as_written(state: State, wanted: Desired, check: Check) -> Result:
    with explainer(state, wanted, [check]) as watch:
        (result,) = run(wanted, [check], means_of(state, state.read(), Probes, watch))
        causes = () if result.passed or result.lacks else watch.explain(result)
    return replace(result, lost=in_a_line(causes))
