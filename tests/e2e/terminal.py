"""A person at a terminal: a pseudo-terminal, what is typed into it and what appears on it."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.world import DEADLINE, World


class Terminal:
    """One program on a terminal of its own."""

    def __init__(self, here: World, command: list[str], **options: Any) -> None:
        self._master, slave = os.openpty()
        # setsid --ctty: Ctrl-C is a key only on a controlling terminal.
        words = ["setsid", "--ctty", *command]
        self.process = here.start(words, stdin=slave, stdout=slave, stderr=slave, **options)
        os.close(slave)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

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
        self.seen += part.decode(errors="replace")
        return bool(part)

    def end(self) -> int:
        """Wait for the end of the program; gives its exit code."""
        deadline = time.monotonic() + DEADLINE
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read(0.05)
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
