"""What an annotation of a model says beside the type (PEP 593): how a value is read, described and bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class Parsed(NamedTuple):
    """A parser reads the value: what it returns is read on as the type. It raises `mistake` (values/text.py)."""

    parse: Callable[[Any], Any]


@dataclass(frozen=True, eq=False)  # compared by identity: an annotation has to be hashable
class Described:
    """The JSON Schema of what can be written, where it is not that of the type."""

    schema: Mapping[str, Any]


class Kinds(NamedTuple):
    """One of several models, told apart by its `kind`; what messages call it, and an example."""

    called: str
    example: str


class Bounded(NamedTuple):
    """What a number may be, and the length of text, of a list or of a mapping."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    min_length: int = 0
    max_length: int | None = None
    where_empty: str = "write some, or leave the key out"
