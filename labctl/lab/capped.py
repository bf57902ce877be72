"""A log that cannot fill the disk: a line per packet is a lot of lines, and /run is memory."""

from __future__ import annotations

import os
from typing import TextIO

LIMIT = 4 << 20
"""Bytes after which a log begins anew."""


class CappedLog:
    """Writes to a file that was opened for appending, and empties it whenever it has reached the limit."""

    def __init__(self, file: TextIO, limit: int = LIMIT) -> None:
        self._file = file
        self._limit = limit
        self._written = 0

    def write(self, text: str) -> int:
        self._written += len(text)
        if self._written > self._limit:
            self._file.flush()
            os.ftruncate(self._file.fileno(), 0)
            self._file.write("... older lines were dropped: the log had reached its limit\n")
            self._written = len(text)
        return self._file.write(text)

    def flush(self) -> None:
        self._file.flush()
