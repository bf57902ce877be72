"""A program that is to run, and be supervised, as plain data that is sent to the process that forks it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import ClassVar

from labctl.frozen import frozen
from labctl.lab.programs.launch import Launch
from labctl.plan.program_spec import RestartPolicy


@frozen
class ProgramTask:
    """A program of a namespace, or one that the file names as an engine."""

    name: str  # the subject of messages about it
    command: str  # as a person types it
    launch: Launch
    namespace: Path
    log: Path
    record: Path  # what its supervisor shows of it (run_record.py)
    restart: RestartPolicy = "never"
    stop_signal: int = signal.SIGTERM
    opened: ClassVar[tuple[int, ...]] = ()  # it has nothing of the network outside of its lab
