"""What the limits of a measured number say to the bounds that a file gives it, and both in words.

A number that is surely inside its bounds holds, one that is surely outside fails. Where a bound lies between the
limits, neither is known: more trials move them closer together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from labctl.checks.confidence import SURE, Limits
from labctl.topology.model import Bounds

Answer = Literal["holds", "fails", "open"]

HOW_SURE = f"{SURE:.1%} sure"

_RATES = ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s"), (1, "bit/s"))
_DIGITS = 3
_FINEST = 0.01  # percent


def compared(found: Limits, bounds: Bounds) -> Answer:
    """Return whether a number is inside its bounds: `open` where that is not sure."""
    least = -math.inf if bounds.at_least is None else bounds.at_least
    most = math.inf if bounds.at_most is None else bounds.at_most
    if found.low > most or found.high < least:
        return "fails"
    return "holds" if least <= found.low and found.high <= most else "open"


def together(answers: Sequence[Answer]) -> Answer:
    """Return what several bounds say together: one that fails is enough, and all have to hold."""
    return "fails" if "fails" in answers else "open" if "open" in answers else "holds"


def in_words(at_least: str | None, at_most: str | None) -> str:
    """Return the bounds of a number as the file has them."""
    words = (("at least", at_least), ("at most", at_most))
    return " and ".join(f"{word} {bound}" for word, bound in words if bound is not None)


def told(number: str, found: Limits, form: Callable[[float, int], str]) -> str:
    """Return a number with its limits, which are rounded outwards."""
    low, high = form(found.low, -1), form(found.high, 1)
    if found.low <= 0 or low == form(0.0, -1):
        limits = f"at most {high}" if found.high < math.inf else "without limits yet"
    else:
        limits = f"{low} to {high}" if found.high < math.inf else f"at least {low}"
    return f"{number} ({limits})"


def percent(fraction: float, way: int = 0) -> str:
    """Return a fraction of 1 in percent. `way` is where it is rounded to: -1 down, 1 up, 0 to what is nearest."""
    return f"{_rounded(100 * fraction, way, _FINEST)}%"


def milliseconds(seconds: float, way: int = 0) -> str:
    """Return a time as ping(8) has it."""
    return f"{_rounded(1000 * seconds, way)} ms"


def per_second(rate: float, way: int = 0) -> str:
    """Return bits per second with a unit as iperf3(1) has it."""
    scale, unit = next(((scale, unit) for scale, unit in _RATES if rate >= scale), _RATES[-1])
    return f"{_rounded(rate / scale, way)} {unit}"


def _rounded(number: float, way: int, finest: float = 0.0) -> str:
    """Return a number with three digits, without those that are 0 at its end."""
    if not number or math.isinf(number):
        return f"{number:g}"
    unit = max(10.0 ** (math.floor(math.log10(number)) - _DIGITS + 1), finest)
    scaled = number / unit
    # What is a whole number of units but for the error of the division stays itself.
    whole = round(scaled) if not way or math.isclose(scaled, round(scaled), rel_tol=1e-9) else (
        math.floor(scaled) if way < 0 else math.ceil(scaled)
    )  # fmt: skip
    return f"{whole * unit:.10g}"
