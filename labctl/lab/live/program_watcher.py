"""Who looks at the programs of a lab: the supervisor of each shows what becomes of it in a file, read at each tick.

The kernel tells a process of the end of its children alone, and a descriptor of a supervisor tells only of
its own end. To read a file and the states of two processes takes some ten microseconds a program.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from labctl.lab.journal import Program
from labctl.lab.programs.found import found_program
from labctl.lab.programs.run_record import RunRecord
from labctl.lab.state import State
from labctl.live.readings import ProgramSeen
from labctl.topology.program_ref import ProgramRef

TICK = 0.2
"""Seconds between two looks."""

SHARE = 50
"""A look takes at most one part in so many of the time."""


class ProgramWatcher:
    """Reads what becomes of the recorded programs of a lab."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._programs: dict[ProgramRef, Program] = {}
        self._seen: dict[ProgramRef, ProgramSeen] = {}
        self._next = 0.0

    def follow(self, programs: Mapping[ProgramRef, Program]) -> None:
        """Follow these programs from now on."""
        self._programs = dict(programs)
        self._seen = {ref: seen for ref, seen in self._seen.items() if ref in programs}
        self._next = 0.0

    def readings(self) -> Iterator[ProgramSeen]:
        """Yield what is new, if it is time to look."""
        began = time.monotonic()
        if began < self._next:
            return
        for ref, program in self._programs.items():
            now = self._look(ref, program)
            if now != self._seen.get(ref):
                self._seen[ref] = now
                yield now
        self._next = time.monotonic() + max(TICK, SHARE * (time.monotonic() - began))

    def _look(self, ref: ProgramRef, program: Program) -> ProgramSeen:
        found, record = found_program(program, self._state), RunRecord.of(self._state.run_record_of(ref))
        pid = record.pid if found.state in ("running", "stopped") else 0
        return ProgramSeen(ref, found.state, pid, record.restarts, found.ended)
