"""What happens while a lab is made or taken down, as plain data; the listeners are in `report`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.plan.change import Change
    from labctl.plan.recorded import Substitution
    from labctl.plan.steps import Step


@dataclass(frozen=True)
class Planned:
    """The changes of a lab that are about to be made; `fresh` where nothing of it was there."""

    lab: str
    changes: tuple[Change, ...]
    fresh: bool


@dataclass(frozen=True)
class Done:
    """A step is done, perhaps with a substitute for what this machine lacks."""

    step: Step
    substitution: Substitution | None = None


@dataclass(frozen=True)
class Waited:
    """The kernel kept `up` waiting for so many seconds, in which it had nothing to run, for new namespaces."""

    seconds: float


@dataclass(frozen=True)
class RollingBack:
    """A step failed, or `up` was interrupted: what was made is being removed, or put back as it was."""

    why: str


@dataclass(frozen=True)
class Removed:
    """Something of the lab has been removed; `kind` is program, engine, process or namespace."""

    kind: str
    name: str

    @property
    def what(self) -> str:
        """Return kind and name, for a report."""
        return f"{self.kind} {self.name}"


Event = Planned | Done | Waited | RollingBack | Removed
Listener = Callable[[Event], object]
