"""Plain lines in a style, for the commands that rich would take longer to load than they take to work."""

from __future__ import annotations

from typing import TextIO

BOLD, RED = "\x1b[1m", "\x1b[31m"  # ECMA-48, SGR
_RESET = "\x1b[0m"
_SHOWN = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), "\N{REPLACEMENT CHARACTER}")


def shown(text: str) -> str:
    """Return a text without the control characters that a terminal obeys, but for the tab and the end of a line.

    Words of a file, of a program or of another machine are shown, and move no cursor.
    """
    return text.translate(_SHOWN)


def styled(text: str, style: str, stream: TextIO) -> str:
    """Return a text, as it is shown, in a style where the stream is a terminal."""
    text = shown(text)
    return f"{style}{text}{_RESET}" if style and stream.isatty() else text
