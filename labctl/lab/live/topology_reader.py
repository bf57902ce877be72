"""Who reads what the lab was made of: its topology as it was applied, whenever another one is."""

from __future__ import annotations

import select
import time
from contextlib import suppress

from labctl.errors import LabError
from labctl.lab.live import record
from labctl.lab.state import State
from labctl.live.readings import Written
from labctl.process.line import Line

LOOK = 0.3
"""Seconds between two looks."""


def read_topology(lab: str, line: Line) -> None:
    """Send the topology of a lab, and each that follows. Raise Hangup."""
    state, known = State(lab), record.NONE
    while True:
        found = record.stamp(state)
        if found != known:
            known = found
            with suppress(LabError):  # it is damaged: `status` says so
                topology = state.topology()
                if topology is not None:
                    line.send([(time.time(), Written(topology))])
        if select.select([line], [], [], LOOK)[0]:
            line.received()
