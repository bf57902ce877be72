"""A lab that ends with the process that made it: a test run, or a program that is killed, leaves nothing.

In a rootless environment the holder watches that process (rootless/holder.py), and takes everything along. Where there
is no holder, a guardian does: it is started before anything is made, waits on a pidfd until that process has ended, and
takes down the lab, if it is still the one that was made by it: the journal says who that was.
"""

from __future__ import annotations

import os
import select
import signal
import time
from typing import NoReturn

from labctl.errors import LabError
from labctl.lab.down import rollback
from labctl.lab.engines.forkserver_client import python
from labctl.lab.lock import locked
from labctl.process.detach import release_inherited
from labctl.process.processes import Process, opened
from labctl.process.signals import TERMINATION
from labctl.process.title import set_title

PATIENCE = 60.0
"""Seconds for which it is tried: another labctl may be at work on the lab, or was killed a moment ago."""

PAUSE = 0.1


def command(lab: str, owner: Process) -> list[str]:
    """Return the command of the guardian of a lab that ends with a process."""
    return python(f"from labctl.lab.guardian import main; main({lab!r}, {owner.pid}, {owner.started})")


def main(lab: str, pid: int, started: int) -> NoReturn:
    """Wait until a process has ended, and take its lab down."""
    for number in TERMINATION:
        signal.signal(number, signal.SIG_IGN)  # what asks its maker to end is no reason to end before it
    set_title(f"labctl: takes down {lab} when process {pid} ends")
    release_inherited(())
    owner = Process(pid, started)
    with opened(owner) as maker:
        if maker is not None:
            select.select([maker], [], [])
    deadline = time.monotonic() + PATIENCE
    while not _taken_down(lab, owner) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    os._exit(0)


def _taken_down(lab: str, owner: Process) -> bool:
    """End a lab, if it is one of this process; return whether there is nothing left to do."""
    try:
        with locked(lab) as state:
            if state.begun() and state.read().owner == owner:
                rollback(state, lambda _: None)
    except LabError:
        return False
    return True
