"""What no look at the machine shows of a lab, so that only its journal knows it."""

from __future__ import annotations

from labctl.frozen import frozen
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.program_ref import ProgramRef


@frozen
class Ran:
    """A line of shell that runs once; it is the same line where all of this is the same."""

    command: str
    exit: int
    directory: str


@frozen
class Substitution:
    """Something that this machine lacks, and what labctl used instead."""

    subject: InterfaceRef | ProgramRef
    wanted: str
    used: str
    reason: str
