"""The programs of a running lab: each is started, ends, is started again; `waiting` is between the two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from labctl.frozen import frozen
from labctl.live import readings
from labctl.live.events import Event, ProgramEvent
from labctl.live.readings import ProgramState
from labctl.topology.program_ref import ProgramRef


@frozen
class Program:
    """A program: its command, its process, and how it ended the last time; the state is None until it was looked at."""

    command: str
    pid: int = 0  # 0 while it does not run
    state: ProgramState | None = None
    ended: str = ""
    restarts: int = 0


Commands = Mapping[ProgramRef, str]
"""The programs of a record, by name."""


def recorded(before: Mapping[ProgramRef, Program], now: Commands, followed: bool) -> dict[ProgramRef, Program]:
    """Return the programs after a record was read; what is new in a lab that is followed was just started."""
    new: ProgramState | None = "ended" if followed else None
    return {ref: replace(before.get(ref, Program(command, state=new)), command=command) for ref, command in now.items()}


def removed(before: Mapping[ProgramRef, Program], now: Commands) -> Iterator[Event]:
    """Yield an event for each program that the lab has no more."""
    for ref, program in before.items():
        if ref not in now:
            yield ProgramEvent("removed", str(ref), program.pid, program.ended)


def happened(before: Program, reading: readings.ProgramSeen) -> Iterator[Event]:
    """Yield what happened to a program between what was known and a reading."""
    place, was = str(reading.ref), before.state
    there = reading.state in ("running", "stopped")
    if was is None:
        if not there:
            yield ProgramEvent("ended", place, reading.pid, reading.ended)
        return
    again = there and (reading.pid != before.pid or reading.restarts > before.restarts)
    ran = reading.restarts > before.restarts or bool(reading.ended and not before.ended)
    if not there and was not in ("running", "stopped") and ran:  # it was started and has ended since the look before
        yield ProgramEvent("ended", place, 0, reading.ended)
    if was in ("running", "stopped") and (again or not there):
        yield ProgramEvent("ended", place, before.pid, reading.ended)
    if again:
        yield ProgramEvent("started", place, reading.pid, "")
    elif (was, reading.state) == ("running", "stopped"):
        yield ProgramEvent("stopped", place, reading.pid, "")
    elif (was, reading.state) == ("stopped", "running"):
        yield ProgramEvent("continued", place, reading.pid, "")
