"""The two ends of a connection that a check makes: sockets that are opened each inside its namespace."""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from typing import Literal

from labctl.kernel import namespaces
from labctl.kernel.sockets import holders
from labctl.process.patience import Patience
from labctl.topology.values import Host

Protocol = Literal["tcp", "udp"]


def opened(namespace: str, protocol: Protocol, address: Host) -> socket.socket:
    """Return a socket of a namespace that never blocks, for addresses of this IP version."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with namespaces.inside(namespace):
        return socket.socket(family, kind | socket.SOCK_NONBLOCK)


def listen(server: socket.socket, protocol: Protocol, address: Host, port: int) -> None:
    """Have a socket take what comes to an address. Raise OSError where it is not there, or the port is another's."""
    if protocol == "tcp":
        # For TCP this is about connections that are over; for UDP it would be about sharing the port.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((str(address), port))
    if protocol == "tcp":
        server.listen(1)


def connect(client: socket.socket, address: Host, port: int) -> None:
    """Connect, which for TCP sends the first packet. Raise OSError where the kernel refuses at once."""
    with suppress(BlockingIOError):  # EINPROGRESS: the SYN is under way
        client.connect((str(address), port))


def once(connection: socket.socket, event: int, waiting: Patience) -> socket.socket:
    """Return a socket once it is ready to be read or written. Raise TimeoutError."""
    ready = select.poll()
    ready.register(connection, event)
    if not waiting.wait(ready):
        raise TimeoutError
    return connection


def until_connected(client: socket.socket, waiting: Patience) -> None:
    """Raise OSError: the network's answer to the SYN, or TimeoutError where there is none."""
    number = once(client, select.POLLOUT, waiting).getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, "")


def holding(namespace: str, protocol: Protocol, address: Host, port: int) -> str:
    """Return which program has the port that a server of a check needs, in words; empty where none is seen."""
    with namespaces.inside(namespace):
        found = holders(protocol, str(address), port)
    programs = ", ".join(f"{holder.name} (PID {holder.pid})" for holder in found)
    return f": {programs} has port {port}" if programs else ""
