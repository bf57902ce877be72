"""A person at a terminal: a pseudo-terminal, what is typed into it and what appears on it."""

from __future__ import annotations

import os
import select
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyte

from tests.e2e.world import DEADLINE, World


class Terminal:
    """One program on a terminal of its own."""

    def __init__(self, here: World, command: list[str], size: tuple[int, int] | None = None, **options: Any) -> None:
        self._master, slave = os.openpty()
        if size is not None:
            termios.tcsetwinsize(self._master, size)
        # setsid --ctty: Ctrl-C is a key only on a controlling terminal.
        words = ["setsid", "--ctty", *command]
        self.process = here.start(words, stdin=slave, stdout=slave, stderr=slave, **options)
        os.close(slave)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode(errors="surrogateescape"))

    def expect(self, text: str) -> None:
        """Wait until a text appears, after everything that was waited for before."""
        deadline = time.monotonic() + DEADLINE
        while text not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0 and self._read(left), f"{text!r} did not appear, but:\n{self.seen}"
        self.seen = self.seen.partition(text)[2]

    def _read(self, patience: float) -> bool:
        if not select.select([self._master], [], [], patience)[0]:
            return False
        try:
            part = os.read(self._master, 1 << 16)
        except OSError:  # EIO: nobody has the terminal open any more
            return False
        self._show(part)
        return bool(part)

    def _show(self, part: bytes) -> None:
        self.seen += part.decode(errors="replace")

    @property
    def echoes(self) -> bool:
        """Whether what is typed appears, as it does while no program reads keys."""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def end(self) -> int:
        """Wait for the end of the program; gives its exit code."""
        deadline = time.monotonic() + DEADLINE
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.wait(timeout=1)

    def close(self) -> None:
        os.close(self._master)


@contextmanager
def terminal(here: World, *command: str, **options: Any) -> Iterator[Terminal]:
    opened = Terminal(here, list(command), **options)
    try:
        yield opened
    finally:
        opened.close()


class _Emulator(pyte.Screen):
    """A screen that also scrolls by several lines at once, as tmux asks for where much is written (SU of ECMA-48)."""

    def scroll_up(self, count: int = 1) -> None:
        """Move the lines between the margins up, by at least one; the cursor stays."""
        line = self.cursor.y
        self.cursor.y = self.margins.bottom if self.margins else self.lines - 1
        for _ in range(max(count, 1)):
            self.index()
        self.cursor.y = line


class _Stream(pyte.ByteStream):
    csi = pyte.ByteStream.csi | {"S": "scroll_up"}
    events = pyte.ByteStream.events | {"scroll_up"}


class Screen(Terminal):
    """One program on a terminal of some lines and columns, which it fills."""

    def __init__(self, here: World, command: list[str], size: tuple[int, int], **options: Any) -> None:
        self._screen = _Emulator(size[1], size[0])
        self._stream = _Stream(self._screen)
        super().__init__(here, command, size, env={"TERM": "xterm-256color"}, **options)

    def _show(self, part: bytes) -> None:
        super()._show(part)
        self._stream.feed(part)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    def resize(self, lines: int, columns: int) -> None:
        """Have another size; the kernel tells whoever is in the foreground (SIGWINCH)."""
        self._screen.resize(lines, columns)
        termios.tcsetwinsize(self._master, (lines, columns))

    def until(self, holds: Callable[[list[str]], bool], what: str) -> list[str]:
        """Wait until something holds of the lines of the screen, and return them."""
        deadline = time.monotonic() + DEADLINE
        while not holds(self.lines):
            left = deadline - time.monotonic()
            assert left > 0 and self._read(left), "\n".join([f"not so: {what}", *self.lines])
        return self.lines

    def shows(self, *texts: str) -> list[str]:
        """Wait until all texts stand on the screen, and return its lines."""
        return self.until(lambda lines: all(any(text in line for line in lines) for text in texts), f"it shows {texts}")


@contextmanager
def screen(here: World, *command: str, size: tuple[int, int] = (24, 80), **options: Any) -> Iterator[Screen]:
    opened = Screen(here, list(command), size, **options)
    try:
        yield opened
    finally:
        opened.close()
