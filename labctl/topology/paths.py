"""Where a value stands in a file: the keys and positions that lead to it."""

from __future__ import annotations

Path = tuple[str | int, ...]


class Key(str):
    """The last element of a path that leads to a key itself, not to its value."""
