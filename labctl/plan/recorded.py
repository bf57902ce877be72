"""What no look at the machine shows of a lab, so that only its journal knows it."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.program_ref import ProgramRef


@dataclass(frozen=True)
class Ran:
    """A line of shell that runs once; it is the same line where all of this is the same."""

    command: str
    exit: int
    directory: str


@dataclass(frozen=True)
class Substitution:
    """Something that this machine lacks, and what labctl used instead."""

    subject: InterfaceRef | ProgramRef
    wanted: str
    used: str
    reason: str
