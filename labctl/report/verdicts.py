"""The verdicts of checks for a person: a line for what passed, all of what did not, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from labctl.checks.results import Evidence, Result
from labctl.report.console import console
from labctl.topology.shipped import as_typed

if TYPE_CHECKING:
    from labctl.lab.verify import Verified

NAMES = 24
"""Columns for the name of a check, so that what was observed stands below each other."""


def result(found: Result, whole: bool = False) -> None:
    """Print a check that has its verdict; all of it where it did not pass, or where the `whole` is wanted."""
    out = console()
    mark = "[bold green]pass[/]" if found.passed else "[bold red]FAIL[/]" if found.asked else "[bold yellow]????[/]"
    if found.passed and not whole:
        line = Text.from_markup(f"{mark} ")
        line.append(found.name.ljust(NAMES), "bold")
        line.append(f" {_in_short(found)}", "dim")
        line.truncate(out.width, overflow="ellipsis")
        out.print(line)
        return
    if found.lacks:
        out.print(f"[yellow]skip[/] [bold]{escape(found.name.ljust(NAMES))}[/] {escape(found.observed)}")
        return
    _hanging(out, f"{mark} [bold]{found.name}[/]  ", [escape(found.description)])
    style = "dim" if found.passed else ""
    if not found.passed:
        _hanging(out, "     expected  ", [escape(found.expected)])
    _hanging(out, "     observed  ", [escape(found.observed)], style)
    if whole or not found.lost:
        _hanging(out, "     counted   ", _evidence(found.evidence), style)
    if found.lost:
        _hanging(out, "     ", [f"[bold]{escape(found.lost)}[/]"])
    if found.message:
        _hanging(out, "     ", [escape(found.message)])
    out.print(f"     [dim]by hand   {escape(found.command)}[/]")  # in one piece, to be copied


def _in_short(found: Result) -> str:
    """Return what was observed, and at how many places packets were counted as expected."""
    places = len(found.evidence)
    counted = f"; {places} count{'s' * (places != 1)} as expected" if places else ""
    return f"{found.observed}{counted}"


def _hanging(out: Console, label: str, texts: Iterable[str], style: str = "") -> None:
    """Print texts behind one label each, with a hanging indent where a terminal is too narrow."""
    grid = Table.grid()
    grid.add_column(no_wrap=True)
    grid.add_column()
    for text in texts:
        grid.add_row(label, text)
    out.print(grid, style=style, soft_wrap=False)


def _evidence(evidence: Sequence[Evidence]) -> Iterator[str]:
    """Yield places with the same number together, and what does not hold alone, with what was expected."""
    for (observed, holds, expected), group in groupby(
        evidence, key=lambda e: (e.observed, e.holds, "" if e.holds else e.expected)
    ):
        places = " ".join(
            f"{place} ({' '.join(found.counter for found in found_there)})"
            for place, found_there in groupby(group, key=lambda e: e.place)
        )
        packets = f"{observed} packet{'s' * (observed != 1)}"
        yield f"{packets} at {places}" if holds else f"[red]{packets}, not {expected},[/] at {places}"
    if others := max((found.others for found in evidence), default=0):
        yield f"without {others} other packet{'s' * (others != 1)} that crossed meanwhile"


def summary(found: Verified, several: bool) -> None:
    """Print how many checks passed, which did not, whether the lab is what its file says, and what to do next.

    Where `several` labs run, what to type names this one.
    """
    out, which = console(), f" -l {found.lab}" if several else ""
    failed = [result.name for result in found.results if result.asked and not result.passed]
    skipped = [result.name for result in found.results if result.lacks]
    undecided = [result.name for result in found.results if result.outcome == "undecided" and not result.lacks]
    open_ = [result.name for result in found.results if not result.asked and not result.lacks]
    unasked = [name for name in open_ if name not in undecided]
    counts = [
        (len(failed), "red", "failed"),
        (len(unasked), "yellow", "could not be asked"),
        (len(undecided), "yellow", "not decided"),
        (len(skipped), "yellow", "skipped"),
    ]
    told = ", ".join(f"[bold {colour}]{count} {word}[/]" for count, colour, word in counts if count)
    number, places = len(found.results), len(found.drift)
    same = (
        f"[yellow]differs from its file in {places} place{'s' * (places != 1)}[/]" if places else "is as its file says"
    )
    if found.lost:
        same += f", but for {escape(', '.join(sorted(error.host for error in found.lost)))}: not reached"
    verdict = told or "[bold green]all passed[/]"
    hidden = found.challenge is not None and not found.challenge.solved
    out.print(f"\n{found.lab}: {number} check{'s' * (number != 1)}, {verdict}{'' if hidden else f'; the lab {same}'}")
    grid = Table.grid(padding=(0, 2))
    labels = (("failed", failed), ("not asked", unasked), ("not decided", undecided), ("skipped", skipped))
    for label, names in labels:
        if names:
            grid.add_row(label, ", ".join(names))
    if found.drift:
        mend = f", labctl up {as_typed(found.file, found.inventory, found.given_name)} mends them" if found.file else ""
        grid.add_row("next", escape(f"labctl status{which} shows the differences{mend}"))
    elif failed or open_:
        grid.add_row("next", escape(f"labctl verify{which} -v {(failed + open_)[0]}; labctl logs{which}"))
    if grid.row_count:
        out.print(grid, soft_wrap=False)


def repeated(runs: Sequence[Verified]) -> None:
    """Print how often each check passed in several runs, and what came in its place the last time."""
    from labctl.lab.repeated import tallies

    out, found = console(), tallies(runs)
    out.print()
    for each in found:
        mark = "[bold green]pass[/]" if each.passed else "[bold red]FAIL[/]" if each.asked else "[bold yellow]????[/]"
        last = f"; last: {each.last.lost or each.last.observed}" if each.last else ""
        name = escape(each.name.ljust(NAMES))
        out.print(f"{mark} [bold]{name}[/] {each.passes} of {each.runs}{escape(last)}")
    lasting = sum(each.passed for each in found)
    told = "all passed every time" if lasting == len(found) else f"{len(found) - lasting} did not pass every time"
    out.print(f"\n{runs[-1].lab}: {len(found)} check{'s' * (len(found) != 1)} in {len(runs)} runs, {told}")
