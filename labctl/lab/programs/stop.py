"""Ending the programs of a lab: those that started last first, those of one wave together."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from labctl.lab.journal import Program
from labctl.plan.program_spec import in_waves
from labctl.process import processes
from labctl.topology.program_ref import ProgramRef


def ended(programs: Collection[Program]) -> Iterator[ProgramRef]:
    """End programs, with everything that they have started. Yield each when it is gone."""
    by_name = {program.spec.ref: program for program in programs}
    for wave in reversed([*in_waves([program.spec for program in programs])]):
        processes.end((by_name[spec.ref].process for spec in wave), processes.GRACE_OF_SUPERVISOR)
        yield from (spec.ref for spec in wave)
