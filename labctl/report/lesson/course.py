"""Lessons in a list, and what is said where one is left or over: plain lines, that stay on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote
from typing import Literal

from rich.markup import escape
from rich.table import Table

from labctl.frozen import frozen
from labctl.report.console import console

State = Literal["new", "begun", "done"]


@frozen
class Listed:
    """A lesson in the list: `step`, from 1, is where the student is, and `seconds` is the time spent with it so far."""

    number: str
    name: str
    title: str
    minutes: int
    state: State = "new"
    step: int = 0
    of: int = 0
    seconds: float = 0.0
    since: float = 0.0  # when the current step began, in seconds since the epoch


@frozen
class Passed:
    """A step that is over: what it was about, and how it went. `expected` is a prediction, and `right` what is so."""

    heading: str
    seconds: float
    hints: int = 0
    skipped: bool = False
    expected: str = ""
    right: str = ""


def lessons(found: Sequence[Listed]) -> None:
    """Print the lessons, and how far each is."""
    out, table = console(), Table(box=None, pad_edge=False, header_style="dim")
    for column in ("", "lesson", "title", "minutes", ""):
        table.add_column(column, justify="right" if column == "minutes" else "left")
    for each in found:
        table.add_row(each.number, each.name, escape(each.title), str(each.minutes or ""), _state(each))
    out.print(table)


def _state(each: Listed) -> str:
    if each.state == "new":
        return ""
    if each.state == "begun":
        return f"[yellow]step {each.step} of {each.of}[/]"
    return f"[green]done[/] in {duration(each.seconds)}"


def left(lesson: str, lab: str, step: int, of: int) -> None:
    """Print how a lesson that was left goes on, and how its lab is ended."""
    out = console()
    out.print(f"[bold]{escape(lesson)}[/] waits at step {step} of {of}; lab {lab} stays")
    for does, command in (("go on", f"labctl learn {quote(lesson)}"), ("end the lab", f"labctl down {lab}")):
        out.print(f"  {does.ljust(12)} [bold]{escape(command)}[/]")


def over(title: str, passed: Sequence[Passed], following: str) -> None:
    """Print what a lesson was about, how long it took, and the command of the next one; empty where there is none."""
    out = console()
    seconds = sum(step.seconds for step in passed)
    out.print(f"[bold green]{escape(title)}[/]: done in {duration(seconds)}\n")
    for step in passed:
        out.print(f"  {'[yellow]-[/]' if step.skipped else '[green]+[/]'} {escape(step.heading)}{_how(step)}")
        for line in _expectation(step):
            out.print(f"      [dim]{escape(line)}[/]")
    if following:
        out.print(f"\nnext: [bold]labctl learn {escape(following)}[/]")


def _how(step: Passed) -> str:
    told = [duration(step.seconds)]
    if step.hints:
        told.append(f"{step.hints} hint{'s' * (step.hints != 1)}")
    if step.skipped:
        told.append("skipped")
    return f"  [dim]{', '.join(told)}[/]"


def _expectation(step: Passed) -> Iterator[str]:
    if step.expected and step.expected == step.right:
        yield f"you expected rightly: {step.right}"
    elif step.expected:
        yield f"you expected: {step.expected}; it is: {step.right}"


def duration(seconds: float) -> str:
    """Return a time as a person says it."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
