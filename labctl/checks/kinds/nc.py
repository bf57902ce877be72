"""nc: data from a client to a server, and back, compared byte for byte.

The server is ours, and then both ends are compared; or, with `server: false`, it is a program that runs there already.
Such a server does not say what it got. Over TCP its kernel does: data is delivered once every byte, and the end of the
data, is acknowledged. Over UDP nothing does, so the file must name a reply.
"""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import termios
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from labctl.checks.command_lines import nc_openbsd
from labctl.checks.delivery import delivery
from labctl.checks.kinds.kind import Counts, Target
from labctl.checks.listening import holding, listen
from labctl.checks.patient_socket import LARGEST, datagram, datagrams, once, opened, send_all, set_out, until_connected
from labctl.checks.refusal import refused_at_once
from labctl.checks.results import Outcome, State
from labctl.checks.tcp_close import wait_until_closed
from labctl.errors import kernel_words
from labctl.plan.mtu import packets
from labctl.process.patience import Patience, PatienceFor
from labctl.topology.model import Nc

PAUSE = 0.002


class NcKind:
    """Data from a client to a server, and back."""

    def __init__(self, asked: Nc) -> None:
        self.asked = asked

    def ask(self, patience: PatienceFor) -> Outcome:
        """Carry the data between two sockets."""
        return nc(self.asked, patience)

    def typed(self) -> str:
        """Return the command lines of OpenBSD's nc."""
        return nc_openbsd(self.asked)

    def expectation(self, wanted: State) -> str:
        """Return how much is sent, and what has to come of it."""
        asked = self.asked
        verb = {"silent": "not delivered", "not-sent": "not sent"}.get(wanted, "delivered")
        return f"{asked.protocol.upper()} {asked.address}:{asked.port}: {len(asked.send.encode())} bytes {verb}"

    def counts(self, wanted: State, leaving: int, arriving: int) -> Counts:
        """Return the fragments of a datagram, and of the one that answers; a TCP connection sends what it likes."""
        asked, silent = self.asked, wanted == "silent"
        if asked.protocol == "tcp":
            return Counts(None, 0 if silent else None)
        there = packets(len(asked.send.encode()), leaving, asked.address.version)
        reply = None if silent else asked.reply
        return Counts(there, packets(len(reply.encode()), arriving, asked.address.version) if reply else 0)

    def target(self) -> Target:
        """Return the address and the port of the server."""
        asked = self.asked
        replied = asked.protocol == "tcp" or bool(asked.reply)
        size = len(asked.send.encode())
        return Target(
            asked.from_, asked.address, asked.protocol, asked.port, size, asked.to, replied, own_server=asked.server
        )

    def briefly(self, seconds: float, times: int) -> Nc:
        """Return the same with a shorter time-out."""
        return self.asked.replace(timeout=min(self.asked.timeout, seconds))


class _Received:
    """What has come to either end so far; it stays when a time-out cuts the rest off."""

    def __init__(self) -> None:
        self.by_server = bytearray()
        self.by_client = bytearray()


def nc(asked: Nc, patience: PatienceFor, begun: Callable[[int], None] = lambda port: None) -> Outcome:
    """Carry the data of a check, and compare what came. `begun` is told the port of the client."""
    with ExitStack() as stack:
        server = None
        if asked.server:
            server = stack.enter_context(opened(asked.to, asked.protocol, asked.address.version))
            try:
                listen(server, asked.protocol, asked.address, asked.port)
            except OSError as error:
                return Outcome("unasked", f"{asked.to} cannot listen: {kernel_words(error)}{taken(asked)}")
        client = stack.enter_context(opened(asked.from_, asked.protocol, asked.address.version))
        try:
            begin(client, asked)
        except OSError as error:
            return refused_at_once(error)
        begun(client.getsockname()[1])
        received, waiting = _Received(), patience(asked.timeout)
        with cut_off(asked) as ended:
            (_tcp if asked.protocol == "tcp" else _udp)(asked, server, client, received, waiting)
        own_port = client.getsockname()[1]
    if asked.protocol == "tcp":
        wait_until_closed((asked.from_, asked.to), own_port, patience)
    return delivery(asked, bytes(received.by_server) if server else None, bytes(received.by_client), "".join(ended))


@contextmanager
def cut_off(asked: Nc) -> Iterator[list[str]]:
    """Yield what is, after the body, which exchanges the data, what cut that off, in words; empty where nothing did."""
    ended: list[str] = []
    try:
        yield ended
    except TimeoutError:
        ended.append(timed_out(asked))
    except OSError as error:
        ended.append(kernel_words(error))


def timed_out(asked: Nc) -> str:
    """Return that the data of a check has not come in time, in words."""
    return f"timed out after {asked.timeout:g} s"


def taken(asked: Nc) -> str:
    """Return which program has the port that the server of a check needs, in words; empty where none is seen."""
    words = holding(asked.to, asked.protocol, asked.address, asked.port)
    return f"{words}; `server: false` in the file asks that one" if words else ""


def begin(client: socket.socket, asked: Nc) -> None:
    """Send the first packet: the SYN, or the datagram. Raise OSError where the kernel refuses it at once."""
    set_out(client, asked.address, asked.port)
    if asked.protocol == "udp":
        client.send(asked.send.encode())


def _tcp(
    asked: Nc, server: socket.socket | None, client: socket.socket, received: _Received, waiting: Patience
) -> None:
    until_connected(client, waiting)
    if server is None:
        send(client, asked.send, waiting)
        receive(client, received.by_client, waiting, len((asked.reply or "").encode()))
        if not asked.reply:
            _until_acknowledged(client, waiting)
        return
    accepted, _ = once(server, select.POLLIN, waiting).accept()
    with accepted:
        accepted.setblocking(False)
        send(client, asked.send, waiting)
        receive(accepted, received.by_server, waiting)
        send(accepted, asked.reply or "", waiting)
        receive(client, received.by_client, waiting)


def send(sender: socket.socket, text: str, waiting: Patience) -> None:
    """Send all of it, and say that no more follows. Raise OSError, or TimeoutError."""
    send_all(sender, text.encode(), waiting)
    sender.shutdown(socket.SHUT_WR)


def receive(receiver: socket.socket, received: bytearray, waiting: Patience, most: int | None = None) -> None:
    """Take in what comes until its end, or until there are `most` bytes. Raise OSError, or TimeoutError."""
    while most is None or len(received) < most:
        once(receiver, select.POLLIN, waiting)
        part = receiver.recv(LARGEST if most is None else most - len(received))
        if not part:
            return
        received += part


def _until_acknowledged(client: socket.socket, waiting: Patience) -> None:
    """Wait for the other kernel to acknowledge the data and its end (tcp(7), SIOCOUTQ). Raise OSError."""
    for _ in waiting.looks(PAUSE):
        if not struct.unpack("=i", fcntl.ioctl(client, termios.TIOCOUTQ, bytes(4)))[0]:
            return
        number = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise OSError(number, "")
    raise TimeoutError


def _udp(
    asked: Nc, server: socket.socket | None, client: socket.socket, received: _Received, waiting: Patience
) -> None:
    if server is not None:
        arrived, sender = _ours(asked, server, client, waiting)
        received.by_server += arrived
        if asked.reply:
            server.sendto(asked.reply.encode(), sender)
    if asked.reply:
        received.by_client += datagram(client, waiting)


def _ours(asked: Nc, server: socket.socket, client: socket.socket, waiting: Patience) -> tuple[bytes, tuple[str, int]]:
    """Return the datagram of the client, and where it came from; those of other senders are left out.

    It is known by its sender, or by its bytes where the sender was translated on the way. Raise OSError: what the
    network answered the client, or TimeoutError.
    """
    for arrived, sender in datagrams(server, waiting):
        if arrived == asked.send.encode() or sender[:2] == client.getsockname()[:2]:
            return arrived, sender
    number = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    raise OSError(number, "") if number else TimeoutError
