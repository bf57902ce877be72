"""A student at a terminal: what they press, and the signals of the terminal, beside what happens in the lab."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Literal

from labctl.engine.loop.signals import heard, numbers_of
from labctl.errors import LabError, UsageError
from labctl.learn.player import Player
from labctl.process import terminal
from labctl.process.keyboard import keys_of
from labctl.process.signals import TERMINATION
from labctl.report.lesson.screen import Key
from labctl.report.lesson.view import LessonView

LONGEST_ANSWER = 200
"""Characters of an answer that can be typed."""

_SCROLLED = {"up": -1, "down": 1}
_TURNED = {"page-up": -1, "page-down": 1, "space": 1, "home": -1000, "end": 1000}
_SURE = {
    "s": "Skip this step? Its solution is done for you, and shown.",
    "b": "Put the lab back, as this step begins? What you have done in it is lost.",
}


def refuse_without_terminal() -> None:
    """Raise UsageError where there is no terminal to read from, or none that can be drawn on."""
    instead = "labctl learn --list writes lines"
    terminal.refuse_without_screen("labctl learn", instead)
    if not sys.stdin.isatty():
        raise UsageError("labctl learn reads keys of a terminal", "standard input is none", instead)


End = Literal["over", "left", "gone"]
"""How it ended: the lesson is over, the student has left it, or their terminal is gone."""


def learn(player: Player) -> End:
    """Go through a lesson until it is over, or the student leaves it, or their terminal is gone. Raise LabError."""
    refuse_without_terminal()
    try:
        with heard(*TERMINATION, again=(signal.SIGWINCH, signal.SIGTSTP)) as signals, player:
            session = _Session(player, signals)
            while session.shown_until_suspended():
                terminal.suspend()
            return session.end or "left"
    except OSError as error:
        if error.errno != errno.EIO:  # the terminal was closed: there is nothing to restore
            raise
        return "gone"


class _Session:
    """What the student has begun to say, and what they were told."""

    def __init__(self, player: Player, signals: int) -> None:
        self._player = player
        self._signals = signals
        self._view = LessonView()
        self._typed: str | None = None  # an answer that is not finished
        self._unsure = ""  # the key that is to be pressed once more
        self._said = ""
        self._started = False
        self.end: End | None = None

    def shown_until_suspended(self) -> bool:
        """Show the lesson. Return whether it is to be shown again, once Ctrl-Z is over."""
        output = sys.stdout.fileno()
        with terminal.keys() as keys, self._view:
            if not self._started:
                self._draw("The lab is made ...")
                self._player.start()
                self._started = True
            attended = (self._signals,) if keys is None else (self._signals, keys)
            while self.end is None:
                self._draw()
                for moment in self._player.moments(also=attended, output=(output,)):
                    came = numbers_of(self._signals)
                    if signal.SIGHUP in came or output in moment.ready:
                        self.end = "gone"
                    elif came.intersection(TERMINATION):
                        self.end = "left"
                    elif signal.SIGTSTP in came:
                        return True
                    elif keys in moment.ready:
                        self._read(keys)
                    if self.end is not None:
                        break
                    self._draw()
        return False

    def _draw(self, said: str = "") -> None:
        self._view.draw(self._player.page, self._keys(), self._typed, said or self._said)

    def _keys(self) -> Sequence[Key]:
        page = self._player.page
        if self._typed is not None:
            return (("Enter", "answer"), ("Esc", "leave it"))
        if self._unsure:
            return ((self._unsure, "yes"), ("any other key", "no"))
        if page.done:
            is_last = page.step + 1 == len(page.steps)
            return (("Enter", "end the lesson" if is_last else "go on"), ("b", "this step again"), ("q", "quit"))
        asked = page.question
        answer = () if asked is None else (("1-" + str(len(asked.choices)) if asked.choices else "a", "answer"),)
        hint = (("h", "hint"),) if page.hints_left else ()
        return (*answer, *hint, ("b", "begin step again"), ("s", "skip"), ("q", "quit"))

    def _read(self, keys: int) -> None:
        typed = os.read(keys, 1 << 12).decode(errors="replace")
        if not typed:  # the terminal was hung up
            self.end = "gone"
        for key in keys_of(typed):
            self._said = ""
            if self._typed is not None:
                self._edit(key)
            else:
                self._obey(key)
            if self.end is not None:
                return

    def _edit(self, key: str) -> None:
        """Change the answer that is being typed, or hand it in."""
        assert self._typed is not None
        question = self._player.page.question
        if key == "escape" or question is None:
            self._typed = None
        elif key == "enter":
            answer, self._typed = self._typed.strip(), None
            if answer:
                self._do("", lambda: self._player.answer(question.name, answer))
        elif key == "backspace":
            self._typed = self._typed[:-1]
        elif key == "erase":
            self._typed = ""
        else:
            letter = " " if key == "space" else key if len(key) == 1 else ""
            self._typed = (self._typed + letter)[:LONGEST_ANSWER]

    def _obey(self, key: str) -> None:
        """Do what a key asks for."""
        page, player = self._player.page, self._player
        unsure, self._unsure = self._unsure, ""
        if unsure:
            if key == unsure == "s":
                self._do("The solution is done ...", player.skip)
            elif key == unsure == "b":
                self._do("The lab is put back ...", player.back)
        elif key in _SCROLLED:
            self._view.scroll(_SCROLLED[key])
        elif key in _TURNED:
            self._view.turn(_TURNED[key])
        elif key == "q":
            self.end = "left"
        elif key == "b" or (key == "s" and not page.done):
            self._unsure, self._said = key, _SURE[key]
        elif key in ("n", "enter"):
            self._go_on()
        elif key == "h" and not page.done:
            if not player.hint():
                self._said = "There is no other hint now; s shows a solution."
        elif page.question is not None:
            self._answer(key)

    def _go_on(self) -> None:
        if not self._player.page.done:
            self._said = "This step is not done yet."
            return
        self._do("The next step is set up ...", self._forward)

    def _forward(self) -> None:
        if not self._player.forward():
            self._draw("The lab is taken down ...")
            self._player.end()
            self.end = "over"

    def _answer(self, key: str) -> None:
        """Take the number of a choice, or begin an answer: by the key a, or by its first digit."""
        question = self._player.page.question
        assert question is not None
        if not question.choices:
            if key == "a" or key.isdecimal():
                self._typed = key.removeprefix("a")
        elif key.isdecimal() and 0 < int(key) <= len(question.choices):
            choice = question.choices[int(key) - 1]
            self._do("", lambda: self._player.answer(question.name, choice))

    def _do(self, meanwhile: str, what: Callable[[], object]) -> None:
        """Do something that may take a moment, or fail: the student is told, and the lesson goes on."""
        if meanwhile:
            self._draw(meanwhile)
        try:
            what()
        except LabError as error:
            self._said = str(error)
