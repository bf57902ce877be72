"""The recorded programs of a lab, and what has become of each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from labctl.lab.journal import Program
from labctl.lab.programs.program_files import why_outdated
from labctl.lab.programs.run_record import RunRecord
from labctl.lab.state import State
from labctl.plan.facts import FoundProgram
from labctl.plan.steps import StartProgram, Step
from labctl.topology.program_ref import ProgramRef


def found_programs(
    programs: Mapping[ProgramRef, Program], state: State, desired: Collection[Step]
) -> Iterator[tuple[ProgramRef, FoundProgram]]:
    """Yield the recorded programs; where one that runs is desired as it is, whether its files were edited since."""
    wanted = {step.spec.ref: step.spec for step in desired if isinstance(step, StartProgram)}
    for ref, program in programs.items():
        found = found_program(program, state)
        asked = wanted.get(ref)
        if found.state == "running" and program.files and asked and not program.spec.changed(asked):
            edited = why_outdated(program.files, program.spec.words, program.spec.cwd, program.process)
            found = replace(found, outdated=edited or "")
        yield ref, found


def found_program(program: Program, state: State) -> FoundProgram:
    """Return what has become of a program."""
    record = RunRecord.of(state.run_record_of(program.spec.ref))
    if not program.process.alive():
        return FoundProgram(program.spec, "ended", record.ended)
    if record.ended and not record.pid:
        return FoundProgram(program.spec, "waiting", record.ended)
    return FoundProgram(program.spec, "stopped" if program.process.stopped() else "running", record.ended)
