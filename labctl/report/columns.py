"""A table of words for a person: as it is, or drawn again and again in the place of the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.segment import SegmentLines
from rich.table import Table

from labctl.report.console import console

Words = tuple[Sequence[str], Sequence[Sequence[str]], Sequence[str]]
"""Headings, rows, and lines below the table."""


def show(words: Words) -> None:
    """Print a table."""
    out = console()
    out.print(_drawn(words), soft_wrap=False)


@contextmanager
def shown_again() -> Iterator[Callable[[Words], object]]:
    """Yield what shows a table in place of the one before, on the whole terminal, and says what has no room there."""
    out = console()
    with Live(console=out, screen=True, auto_refresh=False) as live:
        yield lambda words: live.update(on_screen(words, out), refresh=True)


def on_screen(words: Words, out: Console) -> Group:
    """Return a table as it fits on the screen of a console."""
    lines = out.render_lines(_drawn(words), pad=False)
    if len(lines) <= out.height:
        return _drawn(words)
    shown = lines[: out.height - 1]
    hidden = len(lines) - len(shown)
    return Group(SegmentLines(shown, new_lines=True), f"{hidden} more lines: on a larger terminal, or without --watch")


def _drawn(words: Words) -> Group:
    headings, rows, notes = words
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(escape(heading), overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    return Group(table, *map(escape, notes))
