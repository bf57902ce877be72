"""Whether the file of a program was edited since the program was started.

The program is the first word of its command where that is a path. Where it comes from elsewhere, as an interpreter
does, the first word that names a file is what it runs. A word without a slash is looked for in PATH: that is installed,
not edited, and another shell may find it in another place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from labctl.kernel.programs import writes
from labctl.plan.own_file import digest
from labctl.process.processes import Process, descendants


class Signature(NamedTuple):
    """A file as it was: when it was written last (ns since the epoch), its size in bytes, the digest of its content."""

    modified: int
    size: int
    digest: str


def signatures(command: Sequence[str], directory: str) -> dict[str, Signature]:
    """Return the files of a program by their path, as they are now."""
    return {path: Signature(*_when_and_size(path), _digest(path)) for _, path in _files(command, directory)}


def why_outdated(
    started: Mapping[str, Signature], command: Sequence[str], directory: str, running: Process
) -> str | None:
    """Return what is different now from what was started and is `running`; None where nothing is, or it is gone.

    A file that it writes itself is none that it runs: `tcpdump -w FILE`.
    """
    for word, path in _files(command, directory):
        if path not in started:
            return f"its program is {path} now"
        if _is_edited(path, started[path]) and not writes((running.pid, *descendants(running.pid)), path):
            return f"its program {word} was edited since it was started"
    return None


def _is_edited(path: str, before: Signature) -> bool:
    modified, size = _when_and_size(path)
    if (modified, size) == (before.modified, before.size):
        return False
    return size != before.size or _digest(path) != before.digest


def _files(command: Sequence[str], directory: str) -> Iterator[tuple[str, str]]:
    """Yield the words of a command that are the files of its program, with their paths; only files that can be read."""
    first, *others = command
    words = [first] if "/" in first else []
    if not words or first.startswith("/"):
        words += [word for word in others if os.path.isfile(os.path.join(directory, word))][:1]
    for word in words:
        path = os.path.realpath(os.path.join(directory, word))  # whatever links a caller came by
        if os.path.isfile(path) and os.access(path, os.R_OK):
            yield word, path


def _when_and_size(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return digest(file.read())
