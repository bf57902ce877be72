"""What is left of a file without its broken parts, so that the rest can be judged too.

A person wants all mistakes at once, but what holds between values can only be asked of values. So the smallest broken
ones are left out of a copy. Leaving an item out of a list moves those behind it; `Remainder.original` leads back to
the place in the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labctl.frozen import frozen
from labctl.topology.paths import Path

# What is to be cut, by the steps that lead there; an empty one means all of it.
_Cuts = dict[str | int, "_Cuts"]


@frozen
class Remainder:
    """The values that are left, and the way back to where they stand in the file."""

    value: Any
    _kept: dict[Path, list[int]]  # of every list that became shorter: the former index of each item

    def original(self, path: Path) -> Path:
        """Return the path in the file of what has this path here."""
        way: Path = ()
        for step in path:
            kept = self._kept.get(way)
            way = (*way, kept[step] if kept is not None and isinstance(step, int) else step)
        return way


def without(value: Any, paths: Iterable[Path]) -> Remainder:
    """Return a copy of a tree of plain values without what is at the paths, none of which is empty."""
    cuts: _Cuts = {}
    for path in sorted(paths, key=len):
        _mark(cuts, path)
    kept: dict[Path, list[int]] = {}
    return Remainder(_copied(value, cuts, (), kept), kept)


def _mark(cuts: _Cuts, path: Path) -> None:
    for step in path[:-1]:
        if cuts.get(step) == {}:
            return  # a part of what is cut already
        cuts = cuts.setdefault(step, {})
    cuts[path[-1]] = {}


def _copied(value: Any, cuts: _Cuts, way: Path, kept: dict[Path, list[int]]) -> Any:
    def part(step: str | int, below: Any) -> Any:
        return _copied(below, cuts[step], (*way, step), kept) if step in cuts else below

    if isinstance(value, dict):
        return {key: part(key, below) for key, below in value.items() if cuts.get(key) != {}}
    if isinstance(value, list):
        kept[way] = [index for index in range(len(value)) if cuts.get(index) != {}]
        return [part(index, value[index]) for index in kept[way]]
    return value
