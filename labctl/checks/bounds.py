"""What the limits of a measured number say to the bounds that a file gives it.

A number that is surely inside its bounds holds, one that is surely outside fails. Where a bound lies between the
limits, neither is known: more trials move them closer together.
"""

from __future__ import annotations

from typing import Literal

from labctl.checks.confidence import Limits

Answer = Literal["holds", "fails", "open"]


def compared(found: Limits, at_least: float | None, at_most: float | None) -> Answer:
    """Return whether a number is inside its bounds: `open` where that is not sure."""
    least = -float("inf") if at_least is None else at_least
    most = float("inf") if at_most is None else at_most
    if found.low > most or found.high < least:
        return "fails"
    return "holds" if least <= found.low and found.high <= most else "open"


def together(answers: list[Answer]) -> Answer:
    """Return what several bounds say together: one that fails is enough, and all have to hold."""
    return "fails" if "fails" in answers else "open" if "open" in answers else "holds"
