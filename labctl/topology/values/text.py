"""How a value of a file is read: once, by a parser that raises `mistake(what, hint)` where it is wrong.

That is gathered with all other mistakes of the file (reading.py). What a parser returns is frozen, and prints as it is
written.
"""

from __future__ import annotations

import shlex
from typing import Any


class Mistaken(ValueError):
    """A value is wrong: what is wrong with it, and what would be right."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint)
        self.what, self.hint = what, hint


def mistake(what: str, hint: str = "") -> Mistaken:
    """Return a mistake in one value."""
    return Mistaken(what, hint)


def as_text(value: Any, kind: str) -> str:
    """Return a scalar as text, which is to be what `kind` says."""
    if value is None or isinstance(value, (dict, list, bool)):
        raise mistake(f"expected {kind}, found {shape(value)}")
    return str(value)


def shape(value: Any) -> str:
    """Return a value in the words of a message: what it is, or itself where it is a scalar."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else repr(value)


def is_whole(text: str) -> bool:
    """Return whether a text is a few ASCII digits: int() reads those of every script, and is slow on many."""
    return len(text) <= 5 and text.isascii() and text.isdigit()


def parse_text(value: Any, kind: str, hint: str) -> str:
    """Return a text that is not empty; `kind` is what is expected, in words."""
    if not isinstance(value, str):
        raise mistake(f"expected {kind}, found {shape(value)}", hint)
    if not value:
        raise mistake(f"expected {kind}, this one is empty", hint)
    return value


def parse_words(value: Any, example: str) -> str:
    """Return a command line, which is split as a shell would (shlex) but never run by one."""
    text = as_text(value, "a command line")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise mistake(f"{text!r} cannot be split into words: {error}", "close every quote") from None
    if not words:
        raise mistake("the command is empty", f"for example {example}")
    if "\0" in text:
        raise mistake("the command has a zero byte in it", "no program can be given one: leave it out")
    return text


def parse_number(value: Any) -> Any:
    """Return a value that may be a number: Python takes true for 1, which is not what was meant."""
    if value is None or isinstance(value, (bool, dict, list)):
        raise mistake(f"expected a number, found {shape(value)}")
    return value
