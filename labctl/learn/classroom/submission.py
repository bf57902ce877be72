"""What a student hands in from a laptop: a file about a lesson, which the student could have written by hand."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl import __version__
from labctl.errors import UsageError, kernel_words
from labctl.frozen import frozen
from labctl.learn.classroom.printable import printable
from labctl.learn.classroom.reported import Fields, NotUnderstood, Reported, read_regular, reported
from labctl.process.users import own_uid, user_name

if TYPE_CHECKING:
    from labctl.checks.results import Result
    from labctl.topology.model import Topology

MARK = "labctl-submission"
LONGEST = 1 << 22
"""Bytes of a file: it has the topology of a lab, and what its checks have said."""

MOST = 1000
"""Files of a directory that are collected."""


@frozen
class Submission:
    """What a file says: who has handed it in and when, how far the lesson went, and which checks passed at the end."""

    file: str
    user: str
    at: float | None
    lesson: Reported
    passed: tuple[str, ...]
    failed: tuple[str, ...]


@frozen
class Refused:
    """A file that was not taken, and why."""

    file: str
    why: str


def submit(
    file: Path, progress: Mapping[str, Any], results: Iterable[Result] = (), topology: Topology | None = None
) -> None:
    """Write what happened in a lesson: its progress as it is on disk, the final checks, and the topology as it was.

    Raise UsageError where the file cannot be written.
    """
    value = {
        MARK: 1,
        "labctl": __version__,
        "user": user_name(own_uid()),
        "at": time.time(),
        "progress": dict(progress),
        "checks": [asdict(result) for result in results],
        "topology": topology.written() if topology else None,
    }
    try:
        file.write_text(json.dumps(value, indent=2) + "\n")
    except OSError as error:
        raise UsageError(f"{file} cannot be written", kernel_words(error), "name another file") from None


def collect(directory: Path) -> Iterator[Submission | Refused]:
    """Yield what each file of a directory says, or why it is refused. Raise UsageError where there is no directory."""
    try:
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(
            f"{directory} cannot be read", kernel_words(error), "name the directory of the files"
        ) from None
    try:
        for name in sorted(entry.name for entry in os.scandir(folder))[:MOST]:
            yield _read(name, folder)
    finally:
        os.close(folder)


def _read(name: str, folder: int) -> Submission | Refused:
    try:
        return submission(printable(name, 80), read_regular(name, folder, LONGEST))
    except NotUnderstood as error:
        return Refused(printable(name, 80), str(error))
    except OSError as error:
        return Refused(printable(name, 80), kernel_words(error))


def submission(file: str, data: bytes) -> Submission:
    """Return what a file says. Raise NotUnderstood."""
    found = Fields.read(data)
    if found.values.get(MARK) != 1:
        raise NotUnderstood("labctl learn --submit has not written it")
    checks = [(each.word("name"), each.truth("passed")) for each in found.many("checks")]
    return Submission(
        file,
        found.word("user"),
        found.moment("at"),
        reported(Fields(found.values.get("progress"))),
        tuple(name for name, passed in checks if passed),
        tuple(name for name, passed in checks if not passed),
    )
