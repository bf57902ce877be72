"""A class over servers: what the playbook in `ansible/` has kept on the teacher's machine, a file for each student.

A file is as true as the directory that it is in: whoever can write there can say that something was measured. So a
directory where any user can write is refused, and what students hand in is not read here (`submission`).
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from labctl.checks.results import Result
from labctl.errors import UsageError, kernel_words
from labctl.frozen import frozen
from labctl.learn.classroom.measure import Measured, result_of
from labctl.learn.classroom.printable import printable
from labctl.learn.classroom.reported import Fields, NotUnderstood, Reported, read_regular, reported_again
from labctl.learn.classroom.submission import MARK as SUBMISSION
from labctl.learn.classroom.submission import Refused

MARK = "labctl-class"
STATES = ("present", "verified", "absent")
LONGEST = 1 << 24
"""Bytes that such a file may have."""


@frozen
class Lab:
    """A lab of a student: what was measured in it, and the lesson that the student reports."""

    lab: str
    measured: Measured | None
    lesson: Reported | None


@frozen
class Found:
    """What is known of a student on a server, at a time in seconds since the epoch.

    `measured` is whether the server has measured it, as root; else it is what a process of the student's has said, or
    the server has said nothing. `why` says in words what was found, or what failed.
    """

    file: str
    host: str
    user: str
    server: str
    at: float | None
    state: str
    ok: bool
    measured: bool
    why: str
    labs: tuple[Lab, ...]

    @property
    def self_reported(self) -> bool:
        """Return whether only the student's side has said that it is as wanted."""
        return self.ok and not self.measured


def results(directory: Path) -> Iterator[Found | Refused]:
    """Yield what each JSON file of a directory says, or why it is refused.

    Raise UsageError where there is no directory, or any user can write to it.
    """
    try:
        mode = directory.stat().st_mode
        files = sorted(path for path in directory.iterdir() if path.suffix == ".json")
    except OSError as error:
        raise UsageError(f"{directory} cannot be read", kernel_words(error), "name the directory of results") from None
    if mode & stat.S_IWOTH:
        raise UsageError(
            f"{directory} proves nothing",
            "any user of this machine can write a result there",
            f"chmod o-w {directory}, and have the class measured again",
        )
    yield from map(_read, files)


def _read(path: Path) -> Found | Refused:
    name = printable(path.name, 80)
    try:
        return found_in(name, read_regular(str(path), longest=LONGEST))
    except NotUnderstood as error:
        return Refused(name, str(error))
    except OSError as error:
        return Refused(name, kernel_words(error))


def found_in(file: str, data: bytes) -> Found:
    """Return what a file says. Raise NotUnderstood."""
    value = Fields.read(data)
    if SUBMISSION in value.values:
        raise NotUnderstood("a student has handed it in, and no server has measured it: see labctl class collect")
    if value.values.get(MARK) != 1:
        raise NotUnderstood("the playbook of a class has not written it")
    state = value.word("state")
    if state not in STATES:
        raise NotUnderstood("`state` is none of " + ", ".join(STATES))
    return Found(
        file,
        value.text("host"),
        value.word("user"),
        value.text("server"),
        value.moment("at"),
        state,
        value.truth("ok"),
        value.truth("measured"),
        value.text("msg"),
        tuple(map(_lab, value.many("labs"))),
    )


def _lab(value: Fields) -> Lab:
    checks, lesson = value.object("checks"), value.object("lesson")
    measured = Measured(tuple(map(_result, checks.many("results"))), checks.text("why")) if checks else None
    return Lab(value.word("lab", empty=True), measured, reported_again(lesson) if lesson else None)


def _result(value: Fields) -> Result:
    try:
        return result_of(dict(value.values))
    except (TypeError, KeyError, ValueError):
        raise NotUnderstood("a check is not as labctl writes it") from None
