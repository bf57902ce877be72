"""Records put together again from their pieces, which may come in any order.

All pieces are authentic and come once (`sealing`), so none can be made up to spoil a record, and a record is whole when
it has as many pieces as its last one says. One that misses a piece is given up when MOST_OPEN newer ones have begun.
"""

from __future__ import annotations

from labctl.engine.cable import wire

MOST_OPEN = 16
"""Records that wait for a piece."""


class _Record:
    """The pieces of a record that have come, by index; `number` is 0 while the last has not come."""

    def __init__(self) -> None:
        self.pieces: dict[int, bytes] = {}
        self.number = 0


class Records:
    """The records that are not whole yet."""

    def __init__(self) -> None:
        self._open: dict[int, _Record] = {}  # by the counter of the first piece
        self.unfinished = 0
        """How many were given up so far."""

    def add(self, index: int, counter: int, bodies: list[bytes], ended: bool) -> list[bytes] | None:
        """Add pieces that follow one another, the last of the record among them if `ended`.

        Return the whole record in pieces if these were the missing ones, else None. Raise ValueError for pieces that no
        sender makes.
        """
        if index + len(bodies) > wire.MOST_PIECES:
            raise ValueError("too many pieces")
        if ended and not index:
            return _checked(bodies)
        first = counter - index
        record = self._open.get(first)
        if record is None:
            if len(self._open) == MOST_OPEN:
                del self._open[next(iter(self._open))]
                self.unfinished += 1
            record = self._open[first] = _Record()
        pieces = record.pieces
        pieces.update(enumerate(bodies, index))
        if ended:
            record.number = index + len(bodies)
        if len(pieces) != record.number:
            return None
        del self._open[first]
        try:
            return _checked([pieces[number] for number in range(record.number)])
        except KeyError:
            raise ValueError("a piece behind the last") from None


def _checked(bodies: list[bytes]) -> list[bytes]:
    if sum(map(len, bodies)) > wire.LARGEST_RECORD:
        raise ValueError("a record that is too large")
    return bodies
