"""How a value of YAML or JSON is read as text, a number or a truth: what loses nothing by it is taken."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from labctl.topology.markers import Bounded
from labctl.topology.values import shape

_WHOLE = re.compile(r"\s*([+-]?[0-9]+(?:_[0-9]+)*)(?:\.0+)?\s*", re.ASCII)
_LONGEST = 640  # characters of a number: int() takes as many digits, however it is limited (sys.int_info)
_FALSE, _TRUE = frozenset(("0", "off", "f", "false", "n", "no")), frozenset(("1", "on", "t", "true", "y", "yes"))


Number = TypeVar("Number", int, float)


class Unfit(Exception):
    """A value is not of the type: what is wrong with it, behind its name, and what would be right."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what, hint)
        self.what, self.hint = what, hint


def text(value: Any, bounded: Bounded) -> str:
    """Return text. Raise Unfit."""
    if not isinstance(value, str):
        hint = f'put it in quotes: "{shape(value)}"' if isinstance(value, bool | int | float) else ""
        raise Unfit(f"must be text, found {shape(value)}", hint)
    if len(value) < bounded.min_length:
        raise Unfit("is empty", "write some text, or leave the key out")
    if bounded.max_length is not None and len(value) > bounded.max_length:
        raise Unfit(f"has {len(value)} characters", f"at most {bounded.max_length} are allowed")
    return value


def whole(value: Any, bounded: Bounded) -> int:
    """Return a whole number. Raise Unfit."""
    found = _WHOLE.fullmatch(value) if isinstance(value, str) and len(value) <= _LONGEST else None
    if found is not None:
        number = int(found[1])
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise Unfit(f"must be a number, found {shape(value)}")
    else:
        raise Unfit(f"must be a whole number, found {shape(value)}")
    return _within(number, value, bounded)


def decimal(value: Any, bounded: Bounded) -> float:
    """Return a number that is finite. Raise Unfit."""
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        number = float(value) if numeric or (isinstance(value, str) and value.isascii()) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise Unfit(f"must be a number, found {shape(value)}")
    return _within(number, value, bounded)


def truth(value: Any, bounded: Bounded) -> bool:
    """Return whether a value is true. Raise Unfit."""
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else str(int(value)) if value in (0, 1) else ""
    if word not in _TRUE | _FALSE:
        raise Unfit(f"must be true or false, found {shape(value)}")
    return word in _TRUE


def _within(number: Number, written: Any, bounded: Bounded) -> Number:
    if bounded.ge is not None and number < bounded.ge:
        raise Unfit(f"is {written}", f"it must be at least {bounded.ge:.10g}")
    if bounded.gt is not None and number <= bounded.gt:
        raise Unfit(f"is {written}", f"it must be more than {bounded.gt:.10g}")
    if bounded.le is not None and number > bounded.le:
        raise Unfit(f"is {written}", f"it must be at most {bounded.le:.10g}")
    return number


SCALARS: Mapping[Any, Callable[[Any, Bounded], Any]] = {str: text, int: whole, float: decimal, bool: truth}
"""What reads each type."""
