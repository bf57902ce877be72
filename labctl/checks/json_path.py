"""A value inside of JSON, by its path: keys and positions in lists, with dots between them.

A key may have dots itself, as the addresses in what FRR prints. So at each object the longest key that is there is
taken first, and then the shorter ones: `neighbors.10.0.0.2.0.state` is the `state` of the first of `10.0.0.2`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from labctl.frozen import frozen

_SHOWN = 60
"""Characters of a value that a message shows."""


@frozen
class Missing:
    """There is nothing at a path: how far it leads, and what is there."""

    reached: str
    there: str

    def __str__(self) -> str:
        return f"{self.reached or 'the whole'} is {self.there}"


def at(value: Any, path: str) -> Any | Missing:
    """Return what is at a path; Missing where nothing is."""
    return _at(value, path.split("."), "")


def _at(value: Any, parts: Sequence[str], reached: str) -> Any | Missing:
    if not parts:
        return value
    farthest = Missing(reached, _what(value))
    for length in range(len(parts), 0, -1):
        step = ".".join(parts[:length])
        inside = _step(value, step)
        if inside is _NOTHING:
            continue
        found = _at(inside, parts[length:], f"{reached}.{step}" if reached else step)
        if not isinstance(found, Missing):
            return found
        farthest = max(farthest, found, key=lambda each: len(each.reached))
    return farthest


_NOTHING = object()


def _step(value: Any, step: str) -> Any:
    """Return what is under a key, or at a position; a position is counted from 0, from the end where it is negative."""
    if isinstance(value, dict):
        return value.get(step, _NOTHING)
    if isinstance(value, list) and step.removeprefix("-").isdecimal() and step.isascii():
        position = int(step)
        return value[position] if -len(value) <= position < len(value) else _NOTHING
    return _NOTHING


def same(one: Any, other: Any) -> bool:
    """Return whether two values are the same in JSON, where true is no number, and 1 is 1.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def shown(value: Any) -> str:
    """Return a value as JSON has it, the beginning of one that is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _what(value: Any) -> str:
    if isinstance(value, dict):
        return f"an object with {', '.join(sorted(value)[:5]) or 'nothing'}{', ...' if len(value) > 5 else ''}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return shown(value)
