"""What a process that is to be forked will do, as plain data that is sent to the process that forks it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from labctl.frozen import frozen
from labctl.plan.engine_spec import EngineSpec

if TYPE_CHECKING:
    from labctl.lab.programs.task import ProgramTask
    from labctl.plan.cable_spec import CableSpec


@frozen
class EngineTask:
    """A built-in engine that is to run."""

    spec: EngineSpec
    namespace: Path
    run_as: int | None  # a user ID; by default `nobody`
    log: Path
    counters: Path
    control: Path
    opened: ClassVar[tuple[int, ...]] = ()

    @property
    def name(self) -> str:
        """Return the subject of messages about it."""
        return f"the engine of {self.spec.device}"

    @property
    def command(self) -> str:
        """Return the command that starts the same from a shell."""
        return self.spec.command


@frozen
class CableTask:
    """The engine of an end of a cable that is to run."""

    spec: CableSpec
    namespace: Path
    log: Path
    counters: Path
    control: Path
    opened: tuple[int, ...] = ()
    """The descriptor of its socket, once the process that forks has opened it: that is in the network namespace of the
    host, before the lab is entered."""

    @property
    def name(self) -> str:
        """Return the subject of messages about it."""
        return f"the cable of {self.spec.device}"

    @property
    def command(self) -> str:
        """Return the title of its process."""
        return self.spec.command


Task: TypeAlias = "EngineTask | CableTask | ProgramTask"

FORKER = -1
"""The number of the forking process in its answer, which is the PIDs of all or an error. That of a task is its index in
the request."""
