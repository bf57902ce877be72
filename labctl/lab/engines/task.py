"""What the process of an engine is to do, as plain data that is sent to the process that forks it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labctl.plan.engine_spec import EngineSpec


@dataclass(frozen=True)
class Task:
    """An engine that is to run: the built-in one, or a program that the file names."""

    spec: EngineSpec
    namespace: Path
    run_as: int | None  # a user ID; by default `nobody` for the built-in one, and the user of labctl for a program
    directory: str  # where a program runs
    log: Path
    counters: Path
    control: Path

    @property
    def name(self) -> str:
        """Return the subject of messages about it."""
        return f"the engine of {self.spec.device}"


FORKER = -1
"""The number of the forking process in its answer, which is the PIDs of all or an error. That of an engine is its index
in the request."""
