"""The checks of a lab for a challenge: which of them fail, looked at briefly; and why one does, for a hint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labctl.checks.brisk import brisk
from labctl.checks.probes import Probes
from labctl.checks.results import Result
from labctl.checks.run import run
from labctl.diagnosis.verdict import Verdict
from labctl.frozen import frozen
from labctl.lab.challenge import missing_of
from labctl.lab.explained_here import explainer
from labctl.lab.lock import asking
from labctl.lab.state import State, applied, existing
from labctl.lab.verify import diagnosed, means_of
from labctl.plan.desired import Desired, desired
from labctl.topology.model import Check

BRIEFLY = 0.25
"""Seconds that are waited for an answer."""


@frozen
class Looked:
    """Which checks do not hold, in the order of the file, and what the lab is made of and is not there."""

    failing: tuple[str, ...]
    missing: tuple[str, ...]


def look(lab: str) -> Looked:
    """Run all checks of a lab once, with little patience. Raise UsageError where there is no such lab."""
    state = existing(lab)
    wanted = desired(applied(state))
    with asking(state):
        failing = [result.name for result in _briefly(state, wanted, wanted.topology.checks) if not result.passed]
    return Looked(tuple(failing), tuple(missing_of(state, wanted)))


def first_that_fails(lab: str, first: Sequence[str]) -> tuple[str, tuple[Verdict, ...]]:
    """Return a check that does not hold, and why, also where a challenge runs; of those that are to be asked `first`.

    The name is empty where all hold. Raise as `look` does.
    """
    state = existing(lab)
    wanted = desired(applied(state))
    checks = sorted(wanted.topology.checks, key=lambda check: check.name not in first)
    for check in checks:
        alone = check.replace(needs=())
        with asking(state):
            (result,) = _briefly(state, wanted, [alone])
        if not result.passed:
            ((result, causes),) = diagnosed(state, wanted, [alone], Probes)
        if not result.passed:
            return check.name, tuple(causes)
    return "", ()


def _briefly(state: State, wanted: Desired, checks: Sequence[Check]) -> Iterator[Result]:
    """Run checks once each, and wait for an answer no longer than BRIEFLY."""
    brief = [brisk(check, BRIEFLY) for check in checks]
    with explainer(state, wanted, brief) as watch:  # which sees that another namespace has answered
        yield from run(wanted, brief, means_of(state, state.read(), Probes, watch))
