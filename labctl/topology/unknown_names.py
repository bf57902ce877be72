"""A name that is not among the known ones: the one that was meant is suggested, or all of them are listed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable
from itertools import islice

from labctl.errors import UsageError

_LISTED = 12
_LONGEST = 100  # characters of a name that are compared
_COMPARED = 200  # each comparison takes some microseconds, and a file can have as many mistakes as lines


def no_such(
    what: str,
    name: str,
    known: Collection[str],
    *,
    among: str = "it has",
    hint: str = "",
    written: Callable[[str], str] = repr,
) -> UsageError:
    """Return the error for a name that a person typed: `what` is missing, which names there are, the nearest of them.

    `among` introduces the known names, `hint` is what to do where none is near, and `written` what to type for a name.
    """
    near = nearest(name, known)
    return UsageError(
        what, f"{among}: {', '.join(known) or 'none'}", f"did you mean {written(near)}?" if near else hint
    )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the hint for an unknown name in a file: the nearest known one, else all of them."""
    names = list(known)
    near = nearest(name, names)
    if near is not None:
        return f"did you mean {near!r}?"
    return f"known here: {listed(names)}" if names else ""


def listed(names: list[str]) -> str:
    """Return names in a row, as many as a person reads."""
    return ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that differs least, letter case aside; None where all of them are far off."""
    by_lower = {candidate.lower(): candidate for candidate in islice(known, _COMPARED)}
    near = difflib.get_close_matches(name[:_LONGEST].lower(), by_lower, n=1)
    return by_lower[near[0]] if near else None
