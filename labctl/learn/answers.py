"""Whether an answer is right: by a pattern, by a number, or by what this very lab says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from labctl.learn.changes import LONGEST

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.learn.lesson.model import Answer, Measured

_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")


def is_right(answer: Answer, typed: str, lab: Lab) -> bool:
    """Return whether what was typed is right. Raise LabError where the lab cannot be asked."""
    typed = typed.strip()
    if answer.is_ is not None:
        return re.fullmatch(answer.is_, typed, re.IGNORECASE) is not None
    wanted = str(answer.number) if answer.measured is None else measured(answer.measured, lab)
    numbers = _number(typed), _number(wanted)
    if numbers[0] is not None and numbers[1] is not None:
        return abs(numbers[0] - numbers[1]) <= answer.within
    return bool(wanted) and typed.casefold() == wanted.casefold()


def measured(asked: Measured, lab: Lab) -> str:
    """Return the value that a lab has; empty where the pattern is not found. Raise LabError."""
    printed = lab[asked.in_].run(["sh", "-c", asked.run], timeout=LONGEST).stdout
    found = re.search(asked.pattern, printed)
    return (found[1] or "") if found and found.re.groups else found[0].strip() if found else ""


def right(answer: Answer, lab: Lab) -> str:
    """Return an answer that is right: as its author says it, as its pattern shows it, or as the lab has it.

    Empty where its pattern shows none. Raise LabError where the lab cannot be asked.
    """
    if answer.measured is not None:
        return measured(answer.measured, lab)
    if answer.number is not None:
        return f"{answer.number:g}"
    pattern = answer.is_ or ""
    pieces = (answer.example, pattern, *pattern.split("|"))
    return next((one for one in pieces if one and re.fullmatch(pattern, one, re.IGNORECASE)), answer.example)


def _number(text: str) -> float | None:
    """Return the number in a text, if nothing but a name stands before it and nothing but a unit behind it.

    So `64`, `64 bytes`, `ttl=64` and `mtu 1452` are numbers, as the programs print them, and `tun0` is none.
    """
    found = re.fullmatch(rf"(?:[A-Za-z]+(?:\s*[=:]\s*|\s+))?({_NUMBER.pattern})\s*[A-Za-z/%]*", text.strip())
    return float(found[1].replace(",", ".")) if found else None
