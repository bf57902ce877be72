"""The steps of the programs of a namespace (steps.py has the others)."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.plan.program_spec import ProgramSpec
from labctl.plan.steps import Removal, Step


@dataclass(frozen=True)
class _Program(Step):
    """A program of a namespace, with everything that it starts."""

    spec: ProgramSpec

    @property
    def subject(self) -> str:
        return str(self.spec.ref)

    @property
    def words(self) -> str:
        return f"program {self.spec.command}"


class StartProgram(_Program):
    """A program of a namespace, until it is ready."""

    action = "create"


class StopProgram(Removal, _Program):
    """Ends a program, with everything that it has started."""
