"""The log of an engine: every line behind the time at which it was written, and never more than LIMIT bytes.

    2026-11-26T13:03:07.123456Z ttun: tun0 forwards; offload engaged: none

The time is that of RFC 3339, in UTC and with microseconds, so all are of one length: the lines of several logs come
into one order by comparing them as text. A line without a time was written past this module, as the interpreter does
with its last words; it belongs to the line before it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

LIMIT = 4 << 20
"""Bytes after which a log begins anew: a line per packet is a lot of lines, and /run is memory."""

LONGEST = 1 << 16
"""Bytes after which a line that does not end is written as one."""

_WIDTH = len("2026-11-26T13:03:07.123456Z")
_DROPPED = b"... older lines were dropped: the log had reached its limit"


class LogFile:
    """Writes to a file that was opened for appending; a line is written once it is complete."""

    def __init__(self, file: int, limit: int = LIMIT, now: Callable[[], int] = time.time_ns) -> None:
        self._file = file
        self._limit = limit
        self._now = now
        self._size = os.fstat(file).st_size
        self._begun = b""  # a line that has no end yet

    def write(self, text: str) -> int:
        """Write text, as print() does."""
        self.feed(text.encode(errors="backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """Return at once: what is complete has been written."""

    def feed(self, data: bytes) -> None:
        """Write what has come, which may begin and end in the middle of a line."""
        lines = (self._begun + data).split(b"\n")
        self._begun = lines.pop()
        if len(self._begun) > LONGEST:
            lines.append(self._begun)
            self._begun = b""
        if lines:
            self._add(lines)

    def end(self) -> None:
        """Write what is left of a line that has no end."""
        if self._begun:
            self.feed(b"\n")

    def _add(self, lines: list[bytes]) -> None:
        now = stamp(self._now()).encode()
        text = b"".join([b"%b %b\n" % (now, line) for line in lines])
        try:
            if self._size + len(text) > self._limit:
                os.ftruncate(self._file, 0)
                text, self._size = b"%b %b\n%b" % (now, _DROPPED, text), 0
            self._size += os.write(self._file, text)
        except OSError:
            pass  # the disk is full: an engine forwards with or without its log


def stamp(now: int) -> str:
    """A time as a log has it, from nanoseconds since the epoch."""
    second, fraction = divmod(now, 10**9)
    return f"{_date(second)}.{fraction // 1000:06d}Z"


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


class Line(NamedTuple):
    """A line of a log, and when it was written, as the log has it."""

    time: str
    text: str


def lines_of(log: bytes, before: str = "") -> Iterator[Line]:
    """The lines of a log; `before` is the time of the line in front of the first."""
    for line in log.splitlines():
        if line[_WIDTH - 1 : _WIDTH + 1] == b"Z " and line[:4].isdigit():
            before, line = line[:_WIDTH].decode(), line[_WIDTH + 1 :]
        yield Line(before, line.decode(errors="replace"))
