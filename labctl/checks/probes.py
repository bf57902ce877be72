"""ping and nc in Python: the same on every machine, whatever is installed there.

A socket belongs to the namespace in which it was opened, for as long as it lives. So a probe only opens its sockets
inside; sending, receiving and comparing is done from where we are.
"""

from __future__ import annotations

from labctl.checks.nc import nc
from labctl.checks.outcome import Outcome
from labctl.checks.ping import ping
from labctl.checks.typed import nc_openbsd, ping_iputils
from labctl.kernel.patience import PatienceFor
from labctl.topology.model import Nc, Ping


class Probes:
    """The built-in ping and nc."""

    def __init__(self, patience: PatienceFor) -> None:
        self._patience = patience

    def ping(self, asked: Ping) -> Outcome:
        return ping(asked, self._patience)

    def nc(self, asked: Nc) -> Outcome:
        return nc(asked, self._patience)

    def ping_command(self, ping: Ping) -> str:
        return ping_iputils(ping)

    def nc_command(self, nc: Nc) -> str:
        return nc_openbsd(nc)
