"""Work of a person at a terminal: what runs in a namespace has the standard streams of this command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from labctl.engine.loop.signals import heard
from labctl.hosts.notes import noted
from labctl.hosts.session_end import ending_with_session
from labctl.lab import execute as running
from labctl.lab.own_labs import context_of
from labctl.process import terminal
from labctl.process.signals import ENDING
from labctl.process.waiting import until_it_ends


def execute(lab: str, namespace: str, command: Sequence[str]) -> int:
    """Run a command that a person has typed, and record it where the lab is one of a lesson. Return its exit code.

    What asks this process to end asks the command.
    """

    def work() -> int:
        with heard(again=ENDING) as signals:
            running.record(lab, namespace, shlex.join(command))
            return running.execute(lab, namespace, command, lambda process: until_it_ends(process, signals))

    with ending_with_session():
        return noted(context_of(lab).hand_over(work))


def shell(lab: str, namespace: str) -> int:
    """Open a shell. Return its exit code."""
    try:
        return noted(context_of(lab).call(lambda: running.shell(lab, namespace)))
    finally:
        terminal.give_back()
