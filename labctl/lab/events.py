"""What happens while a lab is made or taken down, as plain data; the listeners are in `report`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from labctl.frozen import frozen

if TYPE_CHECKING:
    from labctl.plan.change import Change
    from labctl.plan.recorded import Substitution
    from labctl.plan.steps import Step


@frozen
class Planned:
    """The changes of a lab that are about to be made; `fresh` where nothing of it was there."""

    lab: str
    changes: tuple[Change, ...]
    fresh: bool


@frozen
class Done:
    """A step is done, perhaps with a substitute for what this machine lacks."""

    step: Step
    substitution: Substitution | None = None


@frozen
class Waited:
    """The kernel kept `up` waiting for so many seconds, in which it had nothing to run, for new namespaces."""

    seconds: float


@frozen
class RollingBack:
    """A step failed, or `up` was interrupted: what was made is being removed, or put back as it was."""

    why: str


@frozen
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
