"""What the process of an engine is to do, as plain data: another process is told it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labctl.plan.engine_spec import EngineSpec


@dataclass(frozen=True)
class Task:
    """An engine that is to run: the built-in one, or somebody's own program."""

    spec: EngineSpec
    namespace: Path
    run_as: int | None  # a user ID; where there is none the built-in one is nobody, and a program stays who we are
    directory: str  # where a program runs
    log: Path
    counters: Path
    control: Path

    @property
    def name(self) -> str:
        return f"the engine of {self.spec.device}"


FORKER = -1
"""The number of the forking process in its answer, the PIDs of all or what kept it from that. An engine's is its place
in the order."""
