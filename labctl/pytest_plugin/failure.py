"""How what went wrong reads in a report: the diagnosis in plain text, without a stack.

A lab of a test run has a name that is no other's, and its namespaces have that as a prefix. It is left out: the report
is the same in every run, and its commands are those for a lab that is made of the file by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import indent

from labctl.checks.results import Evidence, Result
from labctl.errors import LabError
from labctl.lab.verify import Verified
from labctl.topology.mistakes import FileMistakes

_LABELS = 11  # columns for what a line is about


def of_error(error: LabError) -> str:
    """Return what failed, why, and what to do; of a file all mistakes, which begin with FILE:LINE:COLUMN."""
    if isinstance(error, FileMistakes):
        return error.why
    why = indent(error.why, "  ") if error.why else ""
    return "\n".join(line for line in (error.what, why, f"  → {error.hint}" if error.hint else "") if line)


def of_check(result: Result, found: Verified) -> str:
    """Return what was expected, observed and counted, and of each cause the hop, the reason, the evidence and the fix.

    The first line says it all in short.
    """
    lines = (f"{label:{_LABELS}}{words}" for label, words in _parts(result, found))
    return "\n".join((result.lost or result.observed, *lines))


def without_prefix(text: str, name: str, own: str) -> str:
    """Return a text about a lab that has another name for this run with the name that its file gives it."""
    return text.replace(f"{name}-", "").replace(name, own)


def _parts(result: Result, found: Verified) -> Iterator[tuple[str, str]]:
    if result.description:
        yield "check", result.description
    yield "expected", result.expected
    yield "observed" if result.asked else "not asked", result.observed
    if not found.diagnosis:
        yield from (("counted", _counted(each)) for each in result.evidence if not each.holds)
    for cause in found.diagnosis:
        yield "hop", cause.where or cause.hop
        yield "reason", f"{cause.reason}: {cause.words}"
        yield from (("evidence", f"{each.place} {each.what}: {each.value}") for each in cause.evidence)
        if cause.fix:
            yield "fix", cause.fix
    if result.message:
        yield "hint", result.message
    yield "by hand", result.command


def _counted(each: Evidence) -> str:
    return f"{each.observed} packet{'s' * (each.observed != 1)} at {each.place} ({each.counter}), not {each.expected}"
