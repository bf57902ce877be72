"""The server's end of a check: a socket that listens, and which program has its port where it cannot."""

from __future__ import annotations

import socket

from labctl.kernel import namespaces
from labctl.kernel.sockets import holders
from labctl.topology.values import Host


def listen(server: socket.socket, protocol: str, address: Host, port: int) -> None:
    """Have a socket take what comes to an address. Raise OSError where it is not there, or the port is another's."""
    if protocol == "tcp":
        # For TCP this is about connections that are over; for UDP it would be about sharing the port.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((str(address), port))
    if protocol == "tcp":
        server.listen(1)


def holding(namespace: str, protocol: str, address: Host, port: int) -> str:
    """Return which program has the port that a server needs, in words; empty where none is seen."""
    with namespaces.inside(namespace):
        found = holders(protocol, str(address), port)
    programs = ", ".join(f"{holder.name} (PID {holder.pid})" for holder in found)
    return f": {programs} has port {port}" if programs else ""
