"""Plain lines in a style, for the commands that rich would take longer to load than they take to work."""

from __future__ import annotations

from typing import TextIO

BOLD, RED = "\x1b[1m", "\x1b[31m"  # ECMA-48, SGR
_RESET = "\x1b[0m"


def styled(text: str, style: str, stream: TextIO) -> str:
    """Return a text in a style where the stream is a terminal."""
    return f"{style}{text}{_RESET}" if style and stream.isatty() else text
