"""What strangers say, before a person sees it or a program reads it."""

from __future__ import annotations

import unicodedata

LONGEST = 400
"""Characters of a text that are kept."""


def printable(text: str, longest: int = LONGEST) -> str:
    """Return a text in one line, without anything that a terminal would obey, and not longer than a limit.

    Control characters, and those that turn the direction of writing around, become replacement characters.
    """
    kept = text[: longest + 1]
    shown = "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") else char
        for char in kept
    )
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
