"""The step of a line of `exec:`, which runs once (steps.py has the others)."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.plan.recorded import Ran
from labctl.plan.steps import Step


@dataclass(frozen=True)
class RunLine(Step):
    """A line of shell that runs once, and the exit code that it must have; `within` in seconds."""

    line: Ran
    within: float

    @property
    def words(self) -> str:
        first, *more = self.line.command.strip().splitlines()
        return f"exec {first}{' ...' if more else ''}"
