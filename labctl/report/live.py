"""A lab while it is made: drawn as a tree, shown as a diff, or, where it is large, counted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table

from labctl.lab.events import Done, Event, Planned, Removed, RollingBack, Waited
from labctl.plan.change import Change
from labctl.plan.recorded import Substitution
from labctl.plan.steps import AddNamespace, Step
from labctl.report import diff
from labctl.report.console import console
from labctl.report.tree import LabTree

if TYPE_CHECKING:
    from rich.live import Live

MOST_DRAWN = 480
"""Steps of a lab that is drawn: some 60 lines, which a person still reads."""

BETWEEN_LOOKS = 0.05
"""Seconds between two drawings of a lab, so that drawing takes little of the time."""


class UpView:
    """Shows a lab while it grows, on a terminal; in a pipe the whole tree at its end."""

    def __init__(self, explain: bool = False) -> None:
        self._console = console()
        self._explain = explain
        self._changes: dict[Step, Change] = {}
        self._fresh = False
        # One of these, if anything: a line for each step, or a picture, which on a terminal is drawn anew as it grows.
        self._as_diff = False
        self._picture: LabTree | StepCount | None = None
        self._live: Live | None = None
        self._looked = 0.0

    def notify(self, event: Event) -> None:
        """Show what has happened."""
        match event:
            case Planned(lab, changes, fresh):
                self._changes = {change.step: change for change in changes}
                self._fresh, self._as_diff = fresh, self._explain or not fresh
                if changes and not self._as_diff:
                    self._begin(lab, changes)
            case Done(step) if self._as_diff:
                for line in diff.lines(self._changes[step], self._fresh, self._explain):
                    self._console.print(line)
            case Done(step, substitution) if self._picture:
                self._picture.grow(step, substitution)
                if self._live and (now := time.monotonic()) - self._looked >= BETWEEN_LOOKS:
                    self._looked = now
                    self._live.refresh()
            case RollingBack(why):
                if self._live:
                    self._live.stop()
                self._picture = self._live = None
                self._console.print(f"[yellow]{escape(why)}: taking back what was made[/]")
            case Waited(seconds):
                # It waits where one is made (net/core/net_namespace.c: copy_net_ns) for those that are removed.
                self._console.print(
                    f"[yellow]the kernel kept new namespaces waiting for {seconds:.1f} s (unshare), "
                    "as it does while it takes earlier ones apart[/]"
                )
            case Done() | Removed():
                pass

    def _begin(self, lab: str, changes: Sequence[Change]) -> None:
        steps = len(changes)
        drawn = steps <= MOST_DRAWN
        if drawn or self._console.is_terminal:
            namespaces = [each.step.namespace for each in changes if isinstance(each.step, AddNamespace)]
            self._picture = LabTree(lab, namespaces) if drawn else StepCount(lab, steps)
        if self._console.is_terminal:
            from rich.live import Live

            # Without a refresh thread: a process with two threads may not enter a user namespace.
            self._live = Live(self._picture, console=self._console, auto_refresh=False, transient=not drawn)
            self._live.start()

    def close(self) -> None:
        """Leave the picture as it is; in a pipe, print it."""
        if self._live:
            self._live.stop()
        elif self._picture:
            self._console.print(self._picture)


class StepCount:
    """How many steps are done, and where the last one was: one line that is written anew."""

    def __init__(self, title: str, steps: int) -> None:
        self._title = title
        self._bar = ProgressBar(steps, width=30)
        self._namespace = ""

    def grow(self, step: Step, _: Substitution | None = None) -> None:
        """Count a step."""
        self._bar.completed += 1
        self._namespace = step.namespace

    def __rich__(self) -> Table:
        line = Table.grid(padding=(0, 2))
        done = f"{self._bar.completed:.0f} of {self._bar.total:.0f} steps"
        line.add_row(f"[bold]{escape(self._title)}[/]", self._bar, done, f"[dim]{escape(self._namespace)}[/]")
        return line
