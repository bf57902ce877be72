"""What a command that changes a lab has at hand from its beginning to its end."""

from __future__ import annotations

from dataclasses import replace

from labctl.frozen import frozen
from labctl.lab.engines.forkserver_client import Fork
from labctl.lab.events import Listener
from labctl.lab.state import State


@frozen
class Session:
    """One command at work on one lab, whose lock it holds."""

    state: State
    fork: Fork  # how engines are forked where the lab lives
    notify: Listener  # told of every event

    def silent(self) -> Session:
        """Return the same session without a listener."""
        return replace(self, notify=lambda _: None)
