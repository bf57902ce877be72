"""Why checks fail, for a person: where, why, what was seen, and what to do; with `whole` all evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from labctl.diagnosis.reasons import Reason
from labctl.report.console import console

if TYPE_CHECKING:
    from labctl.diagnosis.verdict import Verdict, Witness

SHOWN = 3
"""Measurements that are shown of a cause where not the whole is wanted."""


_VERBS = {"checks": ("fails", "fail"), "packets": ("is lost", "are lost")}


def causes(found: Sequence[Verdict], whole: bool, of: str = "checks") -> None:
    """Print each cause with its heading; they are of `checks` that fail, or of `packets` that are lost."""
    out = console()
    for verdict in found:
        out.print(f"\n[bold]{escape(_heading(verdict, of))}[/]")
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column()
        grid.add_row("where", escape(verdict.where or verdict.hop))
        grid.add_row("why", f"[bold red]{escape(verdict.words)}[/]")
        for label, words in _seen(verdict.evidence, whole):
            grid.add_row(label, escape(words))
        out.print(grid, soft_wrap=False)
        if verdict.fix:
            out.print(f"do     [bold]{escape(verdict.fix)}[/]", soft_wrap=True)  # in one piece, to be copied


def _heading(verdict: Verdict, of: str) -> str:
    known = "one reason" if verdict.reason is not Reason.UNKNOWN else "a reason that is not known"
    number = len(verdict.checks)
    if not number:
        return f"for {known}"
    one, several = _VERBS[of]
    if number == 1:
        return f"{verdict.checks[0]} {one} for {known}"
    return f"{number} {of} {several} for {known}: {', '.join(verdict.checks)}"


def _seen(evidence: Sequence[Witness], whole: bool) -> Iterator[tuple[str, str]]:
    """Yield the evidence: the first measurements in a line, or all of them with a line each."""
    told = [f"{each.place} {each.what}: {each.value}" for each in evidence]
    if whole:
        yield from ((label, words) for label, words in zip(["seen", *[""] * len(told)], told, strict=False))
    elif told:
        yield "seen", "; ".join(told[:SHOWN])
