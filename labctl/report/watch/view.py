"""The view on its terminal: drawn anew with every moment, in a screen of its own, and put back at the end."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import replace

from rich.console import ConsoleDimensions, Group
from rich.live import Live

from labctl.lab.live.watch import Moment
from labctl.report.console import console
from labctl.report.watch.screen import screen
from labctl.report.watch.sections import Happened, Shown
from labctl.topology.shipped import as_typed

EVENTS = 200
"""Events that are remembered."""


class WatchView:
    """What is shown, and the screen on which it is, while the view is entered."""

    def __init__(self, shown: Shown) -> None:
        self.shown = shown
        self._console = console()
        self._events: deque[Happened] = deque(maxlen=EVENTS)
        self._live: Live | None = None

    def __enter__(self) -> WatchView:
        # Without a refresh thread: who looks at the lab is forked, and that is sound from one thread only.
        self._live = Live(console=self._console, screen=True, auto_refresh=False, vertical_overflow="crop")
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._live is not None
        self._live.stop()

    def draw(self, moment: Moment) -> None:
        """Show a moment. Raise OSError where the terminal is gone."""
        assert self._live is not None
        self._events.extend(moment.events)
        # Of the terminal itself: what a shell has exported as COLUMNS does not follow it.
        columns, lines = os.get_terminal_size(self._console.file.fileno())
        width, height = columns or 80, lines or 24  # one on a serial line may not know
        self._console.size = ConsoleDimensions(width, height)
        ascii_only = not self._console.encoding.startswith("utf")
        shown = replace(self.shown, width=width, events=tuple(self._events), ascii_only=ascii_only)
        drawn = screen(moment.state, shown, height, as_typed(moment.state.file))
        self._live.update(Group(*drawn), refresh=True)
