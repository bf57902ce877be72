"""The search for the largest datagram that arrives: which sizes are tried next, by what the other end says.

It goes in rounds of probes. The first has the sizes of usual MTUs, and one byte more than what arrives already: where
none of them comes the search is nearly over. The next rounds divide what lies between the largest that came and the
smallest that did not, until these are one byte apart; a path that takes 65535 bytes is found in six rounds. Probes are
lost, too: so the last size that does not arrive is tried in SURE rounds, and where it does after all, all sizes above
it are open again. What is found never exceeds what has arrived.

Sizes are of datagrams, in bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

PROBES = 8
"""Sizes of a round that divides."""

SURE = 5
"""In how many rounds a size must not have arrived."""


class Search:
    """A search among sizes from the smallest to the largest of a ladder, which has the largest first."""

    def __init__(self, ladder: Sequence[int]) -> None:
        self._ladder = ladder
        self._arrives = self._above = self._left = 0

    def begin(self, arrives: int) -> None:
        """Begin anew, with a size that arrives; below the smallest of the ladder nothing is searched."""
        self._arrives = max(arrives, self._ladder[-1] - 1)
        self._all_above_are_open()

    def _all_above_are_open(self) -> None:
        self._above = self._ladder[0] + 1
        self._left = SURE * (self._arrives < self._ladder[0])

    @property
    def open(self) -> bool:
        """Whether there is another round."""
        return self._left > 0

    def round(self) -> list[int]:
        """Return the sizes that are to be tried now, the largest first; none if nothing is open."""
        low, above = self._arrives, self._above
        if not self.open:
            return []
        if above > self._ladder[0]:
            return [*(size for size in self._ladder if size > low + 1), low + 1]
        parts = min(PROBES + 1, above - low)
        return [low + (above - low) * part // parts for part in range(parts - 1, 0, -1)] or [above]

    def answered(self, largest: int) -> None:
        """Take note that of what was sent until the end of this round, nothing larger than this has arrived."""
        tried = self.round()
        self._arrives = max(self._arrives, largest)
        if self._arrives >= self._above:  # what is above was lost, and not too large
            self._all_above_are_open()
            return
        self._above = min((self._above, *(size for size in tried if size > self._arrives)))
        self._left = self._left - 1 if self._above == self._arrives + 1 else SURE
        self._left *= self._arrives < self._ladder[0]
