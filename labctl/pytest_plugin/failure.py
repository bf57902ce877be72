"""How what went wrong reads in a report: the words of labctl, without a stack.

A lab of a test run has a name that is no other's, and its namespaces have that as a prefix. It is left out: the report
is the same in every run, and its commands are those for a lab that is made of the file by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent

from labctl.checks.results import Result
from labctl.diagnosis.verdict import Verdict
from labctl.errors import LabError
from labctl.topology.mistakes import FileMistakes


def of_error(error: LabError) -> str:
    """Return what failed, why, and what to do; of a file all mistakes, which begin with FILE:LINE:COLUMN."""
    if isinstance(error, FileMistakes):
        return error.why
    why = indent(error.why, "  ") if error.why else ""
    return "\n".join(line for line in (error.what, why, f"  → {error.hint}" if error.hint else "") if line)


def of_check(result: Result, causes: Sequence[Verdict]) -> str:
    """Return it all in a line, then what was expected, observed and counted, and every cause with its evidence."""
    return "\n\n".join((result.lost or result.observed, str(result), *map(str, causes)))


def without_prefix(text: str, name: str, own: str) -> str:
    """Return a text about a lab that has another name for this run with the name that it has in its file."""
    return text.replace(f"{name}-", "").replace(name, own)
