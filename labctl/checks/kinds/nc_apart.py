"""nc between two hosts: the server's half on one, the client's on the other, and what follows from both.

The server says when it listens, and the client is begun then. That may take long on a busy host: the server's time
counts from when the client says that it has sent. Neither sees the other's socket, so a datagram is known by its bytes,
and each waits for its own end of the connection to be closed.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from contextlib import suppress

from labctl.checks.delivery import delivery
from labctl.checks.kinds.nc import begin, cut_off, receive, send, taken, timed_out
from labctl.checks.listening import listen
from labctl.checks.patient_socket import datagram, datagrams, once, opened, until_connected
from labctl.checks.refusal import refused_at_once
from labctl.checks.results import Outcome
from labctl.checks.tcp_close import wait_until_closed
from labctl.errors import kernel_words
from labctl.frozen import frozen
from labctl.process.patience import PatienceFor
from labctl.topology.model import Nc

LONGER = 1.0
"""Seconds for which the server waits longer than the client: it may hear of that at its last."""


@frozen
class Half:
    """What one half has seen: the bytes that came, and what kept it from more; `outcome` where it was not begun."""

    received: bytes = b""
    ended: str = ""
    outcome: Outcome | None = None


def serve(asked: Nc, patience: PatienceFor, ready: Callable[[], object], begun: Callable[[], object]) -> Half:
    """Listen, call `ready`, and `begun`, which returns once the client has sent; take what comes and answer it."""
    received, port = bytearray(), 0
    with opened(asked.to, asked.protocol, asked.address.version) as server:
        try:
            listen(server, asked.protocol, asked.address, asked.port)
        except OSError as error:
            return Half(outcome=Outcome("unasked", f"{asked.to} cannot listen: {kernel_words(error)}{taken(asked)}"))
        ready()
        begun()
        waiting = patience(asked.timeout + LONGER)
        with suppress(OSError):  # TimeoutError, too: the client says what kept it from more
            if asked.protocol == "tcp":
                accepted, (_, port, *_) = once(server, select.POLLIN, waiting).accept()
                with accepted:
                    accepted.setblocking(False)
                    receive(accepted, received, waiting)
                    send(accepted, asked.reply or "", waiting)
            else:
                for arrived, sender in datagrams(server, waiting):
                    received[:] = arrived
                    if arrived == asked.send.encode():
                        if asked.reply:
                            server.sendto(asked.reply.encode(), sender)
                        break
    if port:
        wait_until_closed((asked.to,), port, patience)
    return Half(bytes(received))


def call(asked: Nc, patience: PatienceFor, begun: Callable[[], object]) -> Half:
    """Send the data to a server that listens, call `begun` after the first packet, and take what it answers."""
    received = bytearray()
    with opened(asked.from_, asked.protocol, asked.address.version) as client:
        try:
            begin(client, asked)
        except OSError as error:
            return Half(outcome=refused_at_once(error))
        begun()
        waiting = patience(asked.timeout)
        with cut_off(asked) as ended:
            if asked.protocol == "tcp":
                until_connected(client, waiting)
                send(client, asked.send, waiting)
                receive(client, received, waiting)
            elif asked.reply:
                received += datagram(client, waiting)
        own_port = client.getsockname()[1]
    if asked.protocol == "tcp":
        wait_until_closed((asked.from_,), own_port, patience)
    return Half(bytes(received), "".join(ended))


def met(asked: Nc, served: Half, called: Half) -> Outcome:
    """Return the outcome of both halves."""
    ended = called.ended
    if asked.protocol == "udp" and not served.received and not ended:
        ended = timed_out(asked)
    return served.outcome or called.outcome or delivery(asked, served.received, called.received, ended)
