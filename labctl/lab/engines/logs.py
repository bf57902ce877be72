"""The logs of engines and programs, read while they are written."""

from __future__ import annotations

import os
import re
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from labctl.lab import names
from labctl.lab.state import existing
from labctl.process.log_file import Line, lines_of, stamp
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.program_ref import ProgramRef

PAUSE = 0.1
"""Seconds between two looks at the logs when following."""

QUOTED, WIDEST = 12, 200
"""Lines of a log that an error quotes at most, and characters of each."""

_COLOUR = re.compile("\x1b\\[[0-9;]*m")  # ECMA-48: select graphic rendition

NO_TIME = " " * len("13:03:07.123")


def lines(lab: str, named: Sequence[str], follow: bool, column: int = 0) -> Iterator[str]:
    """Yield the lines of logs in the order of time, each with its time, and whose it is if there are several.

    `column` is how wide the names are at least; where it is not 0, one that is alone has its name, too.
    What would control a terminal is not in them. Raise UsageError for a name that is no engine or program.
    """
    state = existing(lab)
    recorded = state.read()
    runs: list[InterfaceRef | ProgramRef] = [*recorded.engines, *recorded.cables, *recorded.programs]
    logs = {str(ref): state.log_of(ref) for ref in runs}
    chosen = names.chosen(lab, named, logs, names.NOTHING_RUNS)
    width = max(column, *map(len, chosen)) if column or len(chosen) > 1 else 0
    for line, whose in _in_order([Tail(name, logs[name]) for name in chosen], follow):
        name = f"{whose.ljust(width)}  " if width else ""
        yield f"{_clock(line.time)}  {name}{_harmless(line.text)}"


def last_words(path: Path, since: str) -> list[str]:
    """Return the last lines that were written to a log since a time, without what would control a terminal."""
    said = [line.text for line in Tail("", path).more() if line.time >= since][-QUOTED:]
    return [_harmless(line)[:WIDEST] for line in said]


def _harmless(text: str) -> str:
    """Return a line of a log without colours, and with a ? for all else that would control a terminal."""
    return "".join(char if char.isprintable() or char == "\t" else "?" for char in _COLOUR.sub("", text))


class Tail:
    """A log that is read from where the last read ended."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path
        self._read = 0
        self._last = ""

    def more(self) -> Iterator[Line]:
        """Yield the lines that were completed since the last call."""
        try:
            with self._path.open("rb") as log:
                if os.fstat(log.fileno()).st_size < self._read:
                    self._read = 0  # it was truncated
                log.seek(self._read)
                text = log.read()
        except FileNotFoundError:  # an engine that never began
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in lines_of(whole, self._last):
            self._last = line.time
            yield line


def _in_order(tails: Sequence[Tail], follow: bool) -> Iterator[tuple[Line, str]]:
    """Yield the lines of logs, with whose they are, in the order of time.

    When following, what was written since the last look waits for the next: an earlier line of another log may be on
    its way.
    """
    waiting: list[tuple[Line, str]] = []
    looked = ""
    while True:
        now = stamp(time.time_ns())
        waiting += [(line, tail.name) for tail in tails for line in tail.more()]
        waiting.sort(key=lambda found: found[0].time)  # stable: lines of one log and of one time keep their order
        if not follow:
            yield from waiting
            return
        due = bisect_right(waiting, looked, key=lambda found: found[0].time)
        yield from waiting[:due]
        del waiting[:due]
        looked = now
        time.sleep(PAUSE)


def _clock(when: str) -> str:
    """Return a time of a log in local time, to the millisecond; with the date if that is not today's."""
    if not when:
        return NO_TIME
    local = datetime.fromisoformat(when).astimezone().replace(tzinfo=None)
    text = local.isoformat(" ", "milliseconds")
    return text if local.date() != datetime.now().date() else text.partition(" ")[2]
