"""Which check is asked next, by one who asks them one after the other, again and again; pure.

After a change every verdict is old: then the checks are asked at once, those first that it probably concerns, and of
these those that take the least time, so that what has changed is seen as early as can be. Else each is due again after
some times as long as it took: one that is answered within milliseconds is asked often, and one that waits for a
time-out seldom.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from labctl.frozen import frozen

SPARE = 8
"""A check is due again after so many times as long as it took."""


@frozen
class Asked:
    """When a check was asked last, and how long that took, in seconds of one clock; never yet is minus infinity."""

    name: str
    at: float = float("-inf")
    took: float = 0.0

    def due(self, changed: float) -> float:
        """Return when it is to be asked again, if something changed last at `changed`."""
        return changed if self.at < changed else self.at + SPARE * self.took


def next_check(checks: Iterable[Asked], changed: float, concerned: Container[str] = ()) -> Asked:
    """Return the check to be asked next. Raise ValueError without checks.

    `changed` is when something changed last, and `concerned` are the checks that it probably concerns.
    """

    def turn(check: Asked) -> tuple[bool, bool, float]:
        if check.at < changed:
            return False, check.name not in concerned, check.took
        return True, False, check.due(changed)

    return min(checks, key=turn)
