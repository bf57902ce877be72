"""A lesson on its terminal: drawn anew when something is another, in a screen of its own, and put back at the end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from rich.console import ConsoleDimensions, Group
from rich.live import Live
from rich.text import Text

from labctl.report.console import console
from labctl.report.lesson import Page
from labctl.report.lesson.screen import Key, Screen, Shown, screen

_ASCII = str.maketrans("■□▨▶○✘✔─•…▌", "#.s>o!x-*~|")
"""What stands for a sign on a terminal that has ASCII alone."""


class LessonView:
    """What is shown of a lesson, and the screen on which it is, while the view is entered."""

    def __init__(self) -> None:
        self._console = console()
        self._live: Live | None = None
        self._top = 0
        self._follows = False  # what came last is to be seen, until the reader scrolls
        self._drawn: tuple[Page, Shown, Screen] | None = None

    def __enter__(self) -> LessonView:
        # Without a refresh thread: who looks at the lab is forked, and that is sound from one thread only.
        self._live = Live(console=self._console, screen=True, auto_refresh=False, vertical_overflow="crop")
        self._live.start()
        self._drawn = None
        return self

    def __exit__(self, *_: object) -> None:
        assert self._live is not None
        self._live.stop()

    def draw(self, page: Page, keys: Sequence[Key], typed: str | None = None, said: str = "") -> None:
        """Show a page: from its beginning, or what has come to it. Raise OSError where the terminal is gone."""
        # Of the terminal itself: what a shell has exported as COLUMNS does not follow it.
        columns, lines = os.get_terminal_size(self._console.file.fileno())
        width, height = columns or 80, lines or 24  # one on a serial line may not know
        shown = Shown(width, height, self._top, keys, typed, said)
        before = self._drawn[0] if self._drawn else None
        if self._drawn and (page, shown) == self._drawn[:2]:
            return
        if before is not None and (before.lesson, before.step) != (page.lesson, page.step):
            shown = replace(shown, top=0)
            self._follows = False
        elif before is not None and _has_news(before, page):
            self._follows = True
        drawn = screen(page, shown)
        if self._follows:  # also where the goals below it have become longer since
            drawn = screen(page, replace(shown, top=drawn.newest))
        self._top = drawn.top
        self._drawn = page, replace(shown, top=drawn.top), drawn
        self._show(drawn.lines, ConsoleDimensions(width, height))

    def scroll(self, lines: int) -> None:
        """Have another part of the text shown by the next `draw`: so many lines further down."""
        if self._drawn is not None:
            self._follows = False
            self._top = min(max(0, self._top + lines), self._drawn[2].last)

    def turn(self, screens: int) -> None:
        """Have another part of the text shown by the next `draw`: so many screens further down."""
        if self._drawn is not None:
            self.scroll(screens * max(1, self._drawn[2].room - 1))

    def _show(self, lines: Sequence[Text], size: ConsoleDimensions) -> None:
        assert self._live is not None
        if not self._console.encoding.startswith("utf"):
            for line in lines:
                line.plain = line.plain.translate(_ASCII)
        self._console.size = size
        self._live.update(Group(*lines), refresh=True)


def _has_news(before: Page, now: Page) -> bool:
    return len(now.hints) > len(before.hints) or (now.done and not before.done)
