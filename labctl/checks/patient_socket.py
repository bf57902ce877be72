"""Sockets that never block: each step waits with a Patience, so that a busy machine is not taken for a slow network."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import suppress

from labctl.kernel import namespaces
from labctl.process.patience import Patience
from labctl.topology.values import Host

LARGEST = 1 << 16
"""Bytes that are read at once: more than any datagram has."""

_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def opened(namespace: str, protocol: str, version: int) -> socket.socket:
    """Return a socket of a namespace, for tcp or udp over this version of IP."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with namespaces.inside(namespace):
        return socket.socket(family, _KINDS[protocol] | socket.SOCK_NONBLOCK)


def set_out(client: socket.socket, to: Host, port: int) -> None:
    """Begin to connect. Raise OSError where the kernel refuses that at once."""
    with suppress(BlockingIOError):  # EINPROGRESS: the SYN is under way
        client.connect((str(to), port))


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


def datagrams(receiver: socket.socket, waiting: Patience) -> Iterator[tuple[bytes, tuple[str, int]]]:
    """Yield what comes, and where each came from, until the time is over. Raise OSError.

    One whose checksum is wrong wakes who waits, and is thrown away only when it is to be read (select(2), BUGS).
    """
    ready = select.poll()
    ready.register(receiver, select.POLLIN)
    for _ in waiting.arrivals(ready):
        try:
            found = receiver.recvfrom(LARGEST)
        except BlockingIOError:
            continue
        yield found


def datagram(receiver: socket.socket, waiting: Patience) -> bytes:
    """Return what comes next. Raise OSError, or TimeoutError."""
    for arrived, _ in datagrams(receiver, waiting):
        return arrived
    raise TimeoutError


def send_all(sender: socket.socket, data: bytes, waiting: Patience) -> None:
    """Send all of it through a connection. Raise OSError, or TimeoutError."""
    left = memoryview(data)
    while left:
        left = left[once(sender, select.POLLOUT, waiting).send(left) :]
