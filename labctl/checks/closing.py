"""The end of a TCP connection, waited for.

A program is done when it has read the last byte; its kernel is not. The FIN of each side and their acknowledgements
still cross the tunnel, and would be counted in the next check.
"""

from __future__ import annotations

import time

from labctl.kernel import namespaces
from labctl.kernel.sockets import connected
from labctl.topology.model import Nc

PATIENCE = 1.0
"""Seconds; a connection whose packets are lost goes on closing for a minute."""

PAUSE = 0.002


def wait_until_closed(nc: Nc) -> None:
    """Wait until neither side of a connection has anything more to send, for PATIENCE seconds at most."""
    deadline = time.monotonic() + PATIENCE
    for namespace in (nc.from_, nc.to):
        with namespaces.inside(namespace):
            while connected(nc.port) and time.monotonic() < deadline:
                time.sleep(PAUSE)
