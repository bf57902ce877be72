"""The end of a TCP connection, waited for.

A program is done when it has read the last byte; its kernel is not. The FIN of each side and their acknowledgements
still cross the tunnel, and would be counted in the next check.
"""

from __future__ import annotations

from collections.abc import Iterable

from labctl.kernel import namespaces
from labctl.kernel.sockets import connected
from labctl.process.patience import PatienceFor

PATIENCE = 1.0
"""Seconds; a connection whose packets are lost goes on closing for a minute."""

PAUSE = 0.002


def wait_until_closed(sides: Iterable[str], port: int, patience: PatienceFor) -> None:
    """Wait until neither side of a connection has anything more to send, for PATIENCE seconds at most.

    `sides` are the namespaces of both, `port` is either end's.
    """
    waiting = patience(PATIENCE)
    for namespace in sides:
        with namespaces.inside(namespace):
            for _ in waiting.looks(PAUSE):
                if not connected(port):
                    break
