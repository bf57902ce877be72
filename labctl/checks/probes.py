"""ping and nc in Python: the same on every machine, whatever is installed there.

A socket belongs to the namespace in which it was opened, for as long as it lives. So a probe only opens its sockets
inside; sending, receiving and comparing is done outside.
"""

from __future__ import annotations

from collections.abc import Sequence

from labctl.checks.command_lines import nc_openbsd, ping_typed
from labctl.checks.nc import nc
from labctl.checks.ping import ping
from labctl.checks.results import Outcome
from labctl.process.patience import PatienceFor
from labctl.topology.model import Check, Nc, Ping


class Probes:
    """The built-in ping and nc."""

    def __init__(self, patience: PatienceFor) -> None:
        self._patience = patience

    def prepare(self, checks: Sequence[Check]) -> None:
        """Nothing is needed but Python."""

    def ping(self, asked: Ping) -> Outcome:
        """Send echo requests from a raw socket."""
        return ping(asked, self._patience)

    def nc(self, asked: Nc) -> Outcome:
        """Carry data between two sockets."""
        return nc(asked, self._patience)

    def ping_command(self, ping: Ping) -> str:
        """Return what a person types for the same, with the ping of iputils."""
        return ping_typed(ping)

    def nc_command(self, nc: Nc) -> str:
        """Return what a person types for the same, with OpenBSD's nc."""
        return nc_openbsd(nc)
