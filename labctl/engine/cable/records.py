"""Records put together again from their pieces, which may come in any order.

All pieces are authentic and come once (`sealing`), so none can be made up to spoil a record, and a record is whole when
it has as many pieces as its last one says. One that misses a piece is given up when MOST_OPEN newer ones have begun.
"""

from __future__ import annotations

from labctl.engine.cable import wire

MOST_OPEN = 16
"""Records that wait for a piece."""

_NONE = -wire.MOST_PIECES  # no record has a first counter like this


class _Record:
    """The pieces of a record that have come, by index; `number` is 0 while the last has not come."""

    def __init__(self) -> None:
        self.pieces: dict[int, bytes] = {}
        self.number = 0


class Records:
    """The records that are not whole yet."""

    def __init__(self) -> None:
        self._open: dict[int, _Record] = {}  # by the counter of the first piece
        self._current, self._first = _Record(), _NONE  # the one whose piece came last
        self.unfinished = 0
        """How many were given up so far."""

    def add(self, kind: int, index: int, counter: int, body: bytes) -> list[bytes] | None:
        """Add a piece. Return the whole record in pieces if this was the missing one, else None.

        Raise ValueError for pieces that no sender makes.
        """
        if index >= wire.MOST_PIECES:
            raise ValueError("too many pieces")
        first = counter - index
        record = self._current if first == self._first else self._turn_to(first)
        pieces = record.pieces
        pieces[index] = body
        if kind == wire.LAST:
            record.number = index + 1
        if len(pieces) != record.number:
            return None
        del self._open[first]
        self._first = _NONE
        try:
            whole = [pieces[number] for number in range(record.number)]
        except KeyError:
            raise ValueError("a piece behind the last") from None
        if sum(map(len, whole)) > wire.LARGEST_RECORD:
            raise ValueError("a record that is too large")
        return whole

    def _turn_to(self, first: int) -> _Record:
        record = self._open.get(first)
        if record is None:
            if len(self._open) == MOST_OPEN:
                del self._open[next(iter(self._open))]
                self.unfinished += 1
            record = self._open[first] = _Record()
        self._current, self._first = record, first
        return record
