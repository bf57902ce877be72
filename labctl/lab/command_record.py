"""The commands that a person runs in the namespaces of a lab by `exec` and `shell`, for a lesson that asks for one.

They are recorded only while a lesson has begun to, in its lab's own directory, and are gone with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from labctl.process.disk import remove

LARGEST = 1 << 20
"""Bytes of a record that are read: its last ones."""


class CommandRecord:
    """The record of a lab with this directory: a file for each namespace, with a command a line."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "commands"

    def begin(self) -> None:
        """Record from now on, and forget what was recorded. Raise OSError."""
        if self.path.is_dir():
            remove(self.path)
        self.path.mkdir(mode=0o700)

    def file_of(self, namespace: str) -> Path | None:
        """Return where the commands of a namespace are kept; None where none are."""
        return self.path / namespace if self.path.is_dir() else None

    def add(self, namespace: str, command: str) -> None:
        """Record a command, if commands are recorded: it is run in any case."""
        file = self.file_of(namespace)
        if file is not None:
            with suppress(OSError), file.open("ab") as record:
                record.write(os.fsencode(command.replace("\n", " ")) + b"\n")

    def of(self, namespace: str) -> Iterator[str]:
        """Yield the commands of a namespace."""
        with suppress(OSError), open(self.path / namespace, "rb") as record:
            older = record.seek(0, os.SEEK_END) - LARGEST
            record.seek(max(older, 0))
            lines = record.read(LARGEST).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines[older > 0 :] if line)


def history_in_bash(file: Path) -> str:
    """Return the lines by which a bash appends each command to a file, once it has run."""
    quoted = str(file).replace("'", "'\\''")
    appended = 'PROMPT_COMMAND="history -a${PROMPT_COMMAND:+;$PROMPT_COMMAND}"'
    return f"HISTFILE='{quoted}'\nHISTCONTROL=\nHISTIGNORE=\nshopt -s histappend\n{appended}\n"
