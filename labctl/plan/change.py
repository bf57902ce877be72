"""A step of a plan, and why it is in there."""

from __future__ import annotations

from typing import NamedTuple

from labctl.plan.facts import Facts
from labctl.plan.steps import Step

UNWANTED = "is not in the file"
"""The reason of most removals."""
CONSEQUENCE = "goes with a change above"
"""The reason of what is there, and has to be made again."""


class Change(NamedTuple):
    """A step of a plan, and why it is in there."""

    step: Step
    reason: str

    @classmethod
    def of(cls, step: Step, facts: Facts) -> Change:
        """Return a step that makes something with its reason; what is there already goes with a removal before it."""
        return cls(step, step.difference(facts) or CONSEQUENCE)

    def __str__(self) -> str:
        return f"{self.step.subject} {self.step.words} ({self.reason})"

    @property
    def command(self) -> str:
        """The command that does the same from a shell."""
        from labctl.plan.commands import command  # which only some ask for

        return command(self.step)
