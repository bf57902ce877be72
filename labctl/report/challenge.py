"""A challenge for a person: that it runs, how it stands, what helps, and in the end what it was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from labctl.report.console import console

if TYPE_CHECKING:
    from labctl.lab.challenge import Challenge, Standing
    from labctl.report.challenge_values import Answer, Begun, Hint, Listed


HIDDEN = "why checks fail, and how the lab differs from its file, is for you to find"


def note(challenge: Challenge | None) -> None:
    """Print that a challenge runs, where one does."""
    if challenge is not None:
        console().print(f"[yellow]a challenge runs[/] ({which(challenge)}): {HIDDEN}; labctl hint helps")


def which(challenge: Challenge) -> str:
    """Return which challenge it is, so that a teacher can repeat it."""
    return f"seed {challenge.seed}, level {challenge.level}"


def standing(found: Standing | None, passed: bool) -> None:
    """Print how a challenge stands after checks were run, all of which may have passed."""
    if found is None:
        return
    out = console()
    if found.solved:
        out.print(f"[bold green]{solved(found.challenge)}[/]: {escape('; '.join(found.was))}")
        return
    for words in found.broken:
        out.print(f"[bold red]new[/] {escape(words)}: that was well when the challenge began")
    if passed and not found.every:
        out.print("labctl verify without a name runs all checks, and says whether the challenge is solved")
    elif passed:
        out.print(f"not solved: {escape('; '.join(found.missing))}")
    note(found.challenge)


def solved(challenge: Challenge) -> str:
    """Return how long it took, and with how much help."""
    number = len(challenge.hints)
    told = f"with {number} hint{'s' * (number != 1)}" if number else "without a hint"
    return f"solved in {span(challenge.seconds)} {told}{', after the answer was shown' * challenge.revealed}"


def span(seconds: float) -> str:
    """Return a time as a person says it: 40 s, 7 min, 1 h 5 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def begun(found: Begun, several: bool) -> None:
    """Print what is told of a challenge, and what to do; where `several` labs run, commands say which is meant."""
    out, challenge = console(), found.challenge
    named = f" -l {found.lab}" if several else ""
    out.print(f"[bold]{found.lab}[/]: something is wrong here ({which(challenge)})\n")
    for words in found.symptoms:
        out.print(f"  {escape(words)}")
    if found.works:
        out.print(f"\n  [dim]What still works: {escape(', '.join(found.works))}.[/]")
    fails = len(challenge.failing)
    out.print(f"\n{fails} of {found.checks} checks fail. Find out why, and mend it in whatever way you like:\n")
    _rows(
        (f"labctl {command}{named}", words)
        for command, words in (
            ("status", "what is there"),
            ("verify", "which checks fail; says when it is solved"),
            ("hint", f"help, in stages; {len(challenge.hints)} taken"),
            ("challenge --reveal", "the answer"),
            ("challenge --end", "give up: the answer, and the lab is taken down"),
        )
    )


def hint(found: Hint) -> None:
    """Print a hint."""
    console().print(f"[bold]hint {found.stage} of {found.of}[/] for {escape(found.check)}; {_taken(found.challenge)}")
    _rows(found.words)


def _taken(challenge: Challenge) -> str:
    number = len(challenge.hints)
    return f"{number} hint{'s' * (number != 1)} taken"


def answer(found: Answer) -> None:
    """Print what the faults of a challenge are, how they were made, and what mends them."""
    console().print(f"[bold]{found.lab}[/] ({which(found.challenge)}): {escape('; '.join(found.words))}")
    _rows([*(("made by", line) for line in found.made), *(("mended by", line) for line in found.solve)])


def faults(found: Iterable[Listed]) -> None:
    """Print the faults that challenges have."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("fault", "level", "what it is", "topologies"):
        table.add_column(name)
    for one in found:
        table.add_row(one.name, str(one.level), escape(one.words), ", ".join(one.topologies))
    console().print(table, soft_wrap=False)


def _rows(pairs: Iterable[tuple[str, str]]) -> None:
    """Print words behind their labels, a repeated one left out, with a hanging indent."""
    grid, before = Table.grid(padding=(0, 2)), ""
    grid.add_column(no_wrap=True)
    grid.add_column()
    for label, words in pairs:
        grid.add_row(label if label != before else "", escape(words))
        before = label
    console().print(grid, soft_wrap=False)
