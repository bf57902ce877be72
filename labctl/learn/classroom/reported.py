"""What a student's own files say of a lesson: read with the student's rights, and believed in nothing but its form."""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from labctl.frozen import frozen
from labctl.learn.classroom.printable import printable
from labctl.process.apart import Answer, as_user

LONGEST = 1 << 18
"""Bytes that such a file may have."""

MOST = 32
"""Files of a student that are looked at."""

_WORD = re.compile(r"\w[^/]{0,79}")
"""A name of a user, of a folder, or of what is in a lesson: `alice@example.org` and `Übung 1 (neu)` are some."""


class NotUnderstood(ValueError):
    """What a file says is not what labctl writes; the text says what."""


@frozen
class Step:
    """A step of a lesson: when it was begun and done, in seconds since the epoch; None where it was not."""

    name: str
    began: float | None
    done: float | None
    hints: int
    skipped: bool


@frozen
class Reported:
    """How far a student has come in a lesson, as `labctl.learn.progress` keeps it on disk.

    `step` is the number of the current step from 1, `since` when that was begun, in seconds since the epoch.
    """

    lesson: str
    seed: int
    step: int
    of: int
    since: float | None
    steps: tuple[Step, ...]
    lab: str

    @property
    def hints(self) -> int:
        """Return how many hints were asked for."""
        return sum(step.hints for step in self.steps)

    @property
    def skipped(self) -> int:
        """Return how many steps were passed with the solution."""
        return sum(step.skipped for step in self.steps)

    @property
    def seconds(self) -> float:
        """Return the time from the first step that was begun to the last that was done."""
        began = [step.began for step in self.steps if step.began is not None]
        done = [step.done for step in self.steps if step.done is not None]
        return max(done) - min(began) if began and done else 0.0


class Fields:
    """A JSON object of a stranger, of which each field has to be what is said of it."""

    def __init__(self, value: object) -> None:
        """Raise NotUnderstood where it is no object."""
        if not isinstance(value, dict):
            raise NotUnderstood("it is no JSON object")
        self.values: Mapping[str, Any] = value

    @classmethod
    def read(cls, text: str | bytes) -> Fields:
        """Return the object that a text is. Raise NotUnderstood."""
        try:
            return cls(json.loads(text))
        except (ValueError, RecursionError) as error:
            if isinstance(error, NotUnderstood):
                raise
            raise NotUnderstood("it is no JSON") from None

    def word(self, key: str, empty: bool = False) -> str:
        """Return a name, as labctl has them."""
        value = self.values.get(key)
        if empty and value in ("", None):
            return ""
        if not isinstance(value, str) or not _WORD.fullmatch(value) or printable(value) != value:
            raise NotUnderstood(f"`{key}` is no name")
        return value

    def text(self, key: str) -> str:
        """Return a text for a person, in one line."""
        value = self.values.get(key, "")
        if not isinstance(value, str):
            raise NotUnderstood(f"`{key}` is no text")
        return printable(value)

    def whole(self, key: str, most: int = 1 << 31) -> int:
        """Return a whole number from 0 on."""
        value = self.values.get(key)
        if type(value) is not int or not 0 <= value <= most:
            raise NotUnderstood(f"`{key}` is no number from 0 to {most}")
        return value

    def moment(self, key: str) -> float | None:
        """Return seconds since the epoch; None for 0 and for null, which are for what has not happened."""
        value = 0 if self.values.get(key) is None else self.values[key]
        if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value < 1e11:
            raise NotUnderstood(f"`{key}` is no time")
        return float(value) or None

    def truth(self, key: str) -> bool:
        """Return yes or no."""
        value = self.values.get(key, False)
        if type(value) is not bool:
            raise NotUnderstood(f"`{key}` is neither true nor false")
        return value

    def object(self, key: str) -> Fields | None:
        """Return an object; None where there is none."""
        return None if self.values.get(key) is None else Fields(self.values[key])

    def many(self, key: str, most: int = 200) -> Iterator[Fields]:
        """Yield the objects of a list."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or len(value) > most:
            raise NotUnderstood(f"`{key}` is no list, or one of more than {most}")
        return map(Fields, value)


def reported(found: Fields) -> Reported:
    """Return the progress that a file tells of. Raise NotUnderstood."""
    of = found.whole("of", 1000)
    return _reported(found, 1 + found.whole("step", of), of)


def reported_again(found: Fields) -> Reported:
    """Return the progress that labctl has understood, and has written as JSON of its own. Raise NotUnderstood."""
    return _reported(found, found.whole("step", 1001), found.whole("of", 1000))


def _reported(found: Fields, step: int, of: int) -> Reported:
    steps = tuple(
        Step(each.word("name"), each.moment("began"), each.moment("done"), each.whole("hints"), each.truth("skipped"))
        for each in found.many("steps")
    )
    lab = found.word("lab", empty=True)
    return Reported(found.word("lesson"), found.whole("seed", 1 << 63), step, of, found.moment("since"), steps, lab)


def files_of(uid: int, gid: int, home: Path) -> partial[object]:
    """Return the work that reads what a student has reported, in a process with the student's rights."""
    return partial(as_user(uid, gid, partial(_files, home / ".local/state/labctl/learn")))


def _files(directory: Path) -> list[str]:
    """Return the texts of the files of a directory, without following a link to another place."""
    try:
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    names = [entry.name for entry in islice(os.scandir(folder), 100 * MOST) if entry.name.endswith(".json")]
    return [text for name in sorted(names)[:MOST] if (text := _text(folder, name)) is not None]


def _text(folder: int, name: str) -> str | None:
    with suppress(OSError, NotUnderstood):
        return read_regular(name, folder).decode(errors="replace")
    return None


def read_regular(name: str, folder: int | None = None, longest: int = LONGEST) -> bytes:
    """Return what a plain file has. Raise OSError, NotUnderstood where it is another thing, or too long."""
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with closing(os.fdopen(fd, "rb")) as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise NotUnderstood("it is no plain file")
        data = file.read(longest + 1)
        if len(data) > longest:
            raise NotUnderstood(f"it is longer than {longest:,} bytes")
        return data


def all_reported(answer: Answer) -> tuple[list[Reported], str]:
    """Return what a student's files say, what was touched last first, and in words what is wrong with them."""
    if answer.why:
        return [], f"lessons could not be read: {printable(answer.why)}"
    found, wrong = [], 0
    for text in answer.value if isinstance(answer.value, list) else ():
        try:
            found.append(reported(Fields.read(text)))
        except (NotUnderstood, TypeError):
            wrong += 1
    words = f"{wrong} file{'s' * (wrong != 1)} about lessons not understood" if wrong else ""
    return sorted(found, key=lambda each: each.since or 0, reverse=True), words
