"""labctl's own probes: the same on every machine, whatever is installed there.

A socket belongs to the namespace in which it was opened, for as long as it lives. So a probe only opens its sockets
inside; sending, receiving and comparing is done outside.
"""

from __future__ import annotations

from collections.abc import Sequence

from labctl.checks.kinds import kind_of
from labctl.checks.results import Outcome
from labctl.process.patience import PatienceFor
from labctl.topology.model import Check, Probe


class Probes:
    """Probes in Python."""

    def __init__(self, patience: PatienceFor) -> None:
        self._patience = patience

    def prepare(self, checks: Sequence[Check]) -> None:
        """Nothing is needed but Python."""

    def ask(self, probe: Probe) -> Outcome:
        """Make a probe."""
        return kind_of(probe).ask(self._patience)

    def typed(self, probe: Probe) -> str:
        """Return what a person types for the same, with the usual programs of Debian."""
        return kind_of(probe).typed()
