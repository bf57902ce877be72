"""The same checks of a lab several times, and how often each has passed."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.checks.results import Result
from labctl.frozen import frozen
from labctl.lab.verify import Verified


@frozen
class Tally:
    """How often a check has passed and was asked, of how many runs, and its last result that was no pass."""

    name: str
    passes: int
    asked: int
    runs: int
    last: Result | None

    @property
    def passed(self) -> bool:
        """Return whether it has passed every time."""
        return self.passes == self.runs


def tallies(runs: Sequence[Verified]) -> list[Tally]:
    """Return the tally of each check, in the order of the runs."""
    results: dict[str, list[Result]] = {}
    for run in runs:
        for result in run.results:
            results.setdefault(result.name, []).append(result)
    return [
        Tally(
            name,
            sum(result.passed for result in found),
            sum(result.asked for result in found),
            len(found),
            next((result for result in reversed(found) if not result.passed), None),
        )
        for name, found in results.items()
    ]
