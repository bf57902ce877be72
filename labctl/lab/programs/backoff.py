"""How long is waited before a program is started again; the figures are Docker's."""

from __future__ import annotations

SHORTEST, LONGEST = 0.1, 60.0
"""Seconds: the first pause, and the longest."""

SETTLED = 10.0
"""Seconds after which a program has run well: the next pause is the shortest again."""


class Backoff:
    """Pauses that grow: each is twice as long as the one before."""

    def __init__(self) -> None:
        self._next = SHORTEST

    def after(self, ran: float) -> float:
        """Return the pause, in seconds, before the next start of a program that has run for so many seconds."""
        pause = SHORTEST if ran >= SETTLED else self._next
        self._next = min(2 * pause, LONGEST)
        return pause
