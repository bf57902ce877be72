"""What happens while a lab is made or taken down, as plain data; the listeners are in `report`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labctl.plan.difference import Change
from labctl.plan.facts import Substitution
from labctl.plan.steps import Step


@dataclass(frozen=True)
class Planned:
    """What is missing, before the first of it is done; `fresh` where nothing of the lab was there."""

    changes: tuple[Change, ...]
    fresh: bool


@dataclass(frozen=True)
class Done:
    """A step is done."""

    step: Step
    substitution: Substitution | None = None


@dataclass(frozen=True)
class RollingBack:
    """A step failed; what was made is being taken back."""

    why: str


@dataclass(frozen=True)
class Removed:
    """Something of the lab is gone: an engine, a process, a namespace."""

    kind: str
    name: str

    @property
    def what(self) -> str:
        return f"{self.kind} {self.name}"


Event = Planned | Done | RollingBack | Removed
Listener = Callable[[Event], None]
