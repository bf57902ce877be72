"""Numbers that stand in a column: short, and as a line of bars."""

from __future__ import annotations

from collections.abc import Sequence

_PREFIXES = ("", "k", "M", "G", "T", "P")
_BARS, _ASCII_BARS = " ▁▂▃▄▅▆▇█", " .:-=+*#@"


def short(number: float) -> str:
    """Return a number in at most five characters, with the prefix of a power of 1000: 0, 12, 999, 1.2k, 340M."""
    for prefix in _PREFIXES:
        if number < 9.95 and prefix:
            return f"{number:.1f}{prefix}"
        if number < 999.5:
            return f"{number:.0f}{prefix}" if number >= 0.5 or not number else "<1"
        number /= 1000
    return ">999P"


def bars(numbers: Sequence[float], width: int, *, ascii_only: bool) -> str:
    """Return a bar for each of the last numbers, the newest on the right, in proportion to the largest of them."""
    glyphs = _ASCII_BARS if ascii_only else _BARS
    shown = numbers[-width:] if width > 0 else ()
    largest = max(shown, default=0)
    steps = len(glyphs) - 1
    # What is not zero has a bar, however small.
    drawn = (glyphs[max(1, round(number / largest * steps))] if number > 0 else glyphs[0] for number in shown)
    return "".join(drawn).rjust(max(width, 0))
