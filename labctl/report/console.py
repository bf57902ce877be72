"""Output for a person, to a terminal or a pipe, through rich."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from labctl.report.style import shown


class _PipeConsole(Console):
    """Shows text as style.shown says, and goes on without output when its reader has gone.

    A lab is not taken back because of `| head`.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else shown(text), style, control)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console() -> Console:
    """Return a console on standard output. rich honours NO_COLOR; a pipe has no width, so nothing is cut for it.

    `r2:a: up` is an interface, and no emoji of that name.
    """
    out = _PipeConsole(highlight=False, soft_wrap=True, emoji=False)
    if not out.is_terminal:
        out.width = 1000
    return out
