"""A person who watches a lab at a terminal: keys, and the signals of the terminal, beside what happens in the lab."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace

from labctl.engine.loop.signals import heard, numbers_of
from labctl.lab.live.watch import Watch, Work
from labctl.lab.live.watchers import CHECKS, LOOKS, TAPS
from labctl.process import terminal
from labctl.process.signals import TERMINATION
from labctl.report.watch.sections import Shown
from labctl.report.watch.view import WatchView


def watch(follow: Callable[[Mapping[str, Work]], Watch], shown: Shown) -> None:
    """Show a lab until the key q or a signal ends it, or its terminal is gone.

    `follow` is told who is to look at the lab, and returns it as it is followed by these. Raise UsageError where there
    is no terminal, or one whose cursor cannot be moved.
    """
    terminal.refuse_without_screen("labctl watch", "labctl events writes lines")
    view = WatchView(shown)
    try:
        with (
            heard(*TERMINATION, again=(signal.SIGWINCH, signal.SIGTSTP)) as signals,
            follow(_works(shown)) as following,
        ):
            while _shown_until_suspended(view, following, signals):
                terminal.suspend()
    except OSError as error:
        if error.errno != errno.EIO:  # the terminal was closed: there is nothing to restore
            raise


def _works(shown: Shown) -> Mapping[str, Work]:
    return {**LOOKS, **(CHECKS if shown.checks else {}), **(TAPS if shown.packets else {})}


def _shown_until_suspended(view: WatchView, following: Watch, signals: int) -> bool:
    """Show the lab. Return whether it is to be shown again, once Ctrl-Z is over."""
    output = sys.stdout.fileno()
    with terminal.keys() as keys, view:
        attended = (signals,) if keys is None else (signals, keys)
        for moment in following.moments(also=attended, output=(output,)):
            came = numbers_of(signals)
            if came.intersection(TERMINATION) or output in moment.ready:
                return False
            if signal.SIGTSTP in came:
                return True
            if keys in moment.ready and not _obey(os.read(keys, 1 << 10).decode(errors="replace"), view, following):
                return False
            view.draw(moment)
    return False


def _obey(typed: str, view: WatchView, following: Watch) -> bool:
    """Do what some keys ask for. Return whether to go on."""
    for key in typed:
        if key == "p":
            view.shown = replace(view.shown, packets=not view.shown.packets)
        elif key == "v":
            view.shown = replace(view.shown, checks=not view.shown.checks)
        elif key == "q":
            return False
    following.look(_works(view.shown))
    return bool(typed)
