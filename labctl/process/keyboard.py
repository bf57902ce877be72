"""Keys by their names: what a terminal sends for one is a character, or a sequence of them (xterm, ctlseqs(ms))."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])")

_NAMES = {
    **{f"\x1b{lead}{letter}": name for lead in "[O" for letter, name in zip("ABCDHF", (
        "up", "down", "right", "left", "home", "end",
    ), strict=True)},
    "\x1b[5~": "page-up", "\x1b[6~": "page-down", "\x1b[1~": "home", "\x1b[4~": "end",
    "\n": "enter", "\r": "enter", "\x7f": "backspace", "\b": "backspace", "\x15": "erase", "\x1b": "escape",
    " ": "space",
}  # fmt: skip


def keys_of(typed: str) -> Iterator[str]:
    """Yield the name of each key, or its character; a key that has neither is left out."""
    at = 0
    while at < len(typed):
        found = _SEQUENCE.match(typed, at)
        word = found[0] if found else typed[at]
        at += len(word)
        if word in _NAMES:
            yield _NAMES[word]
        elif not found and word.isprintable():
            yield word
