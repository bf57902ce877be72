"""Which checks need which: in which order they are asked, and what becomes of one that needs a check that failed.

One cause does not fail ten checks: what needs a check that has not passed is not asked, and says so in a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from labctl.checks.kinds import kind_of
from labctl.checks.results import WANTED, Result
from labctl.topology.model import Check


def in_order(checks: Iterable[Check], known: Iterable[Check]) -> list[Check]:
    """Return checks with all that they need of those that are known, each after what it needs, else as they come."""
    by_name = {check.name: check for check in known}
    found: dict[str, Check] = {}

    def add(check: Check) -> None:
        for name in check.needs:
            if name in by_name and name not in found:
                add(by_name[name])
        found[check.name] = check

    for check in checks:
        if check.name not in found:
            add(check)
    return list(found.values())


def not_asked(check: Check, results: Mapping[str, Result]) -> Result | None:
    """Return the verdict of a check that is not asked, because one that it needs has not passed; None if it is."""
    lacks = [results[name] for name in check.needs if name in results and not results[name].passed]
    if not lacks:
        return None
    return replace(unasked(check, f"it needs {_listed(lacks)}"), lacks=tuple(result.name for result in lacks))


def unasked(check: Check, why: str) -> Result:
    """Return the verdict of a check that could not be asked."""
    kind = kind_of(check.probe)
    expected = kind.expectation(WANTED[check.expect])
    return Result(check.name, check.description, False, False, "unasked", expected, why, (), kind.typed())


def _listed(lacks: Sequence[Result]) -> str:
    return " and ".join(f"{result.name}, which {'failed' if result.asked else 'was not asked'}" for result in lacks)
