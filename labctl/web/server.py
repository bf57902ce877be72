"""Browsers that look at a page: one process, no threads, and a descriptor that is readable when one of them needs care.

Whoever has the server calls `serve` then. A browser that reads too slowly for what is sent is cut off: it connects
again by itself, and begins with all there is. Where as many look as may, another one is told so. Of connections that
ask nothing the oldest makes way for a new one, so that none who keeps them open keeps others out.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType

from labctl.errors import UsageError, kernel_words
from labctl.web.access import Place
from labctl.web.http import BadRequest, Request, Response, request

MOST_STREAMS = 250
"""Browsers that look at once."""

MOST_WAITING = 100
"""Connections that have not been answered in full."""

MOST_UNREAD = 8 << 20
"""Bytes that wait for a browser to read them."""

PATIENCE = 10.0
"""Seconds that a browser has for its request, and to read what closes the connection."""

_PART = 1 << 16
_FULL = "as many browsers look at this lab as may at once: try again when one of them is closed\n"

Answer = Callable[[Request], tuple[Response, bytes]]
"""Return the answer to a request, and the events that a stream begins with."""


@dataclass
class _Connection:
    socket: socket.socket
    until: float | None  # when it is cut off, in time.monotonic(); None for a stream
    received: bytearray = field(default_factory=bytearray)
    unsent: bytearray = field(default_factory=bytearray)
    answered: bool = False

    @property
    def is_stream(self) -> bool:
        return self.answered and self.until is None


class Server:
    """A listening socket and its connections."""

    def __init__(self, place: Place, answer: Answer) -> None:
        """Listen at a place. Raise UsageError where that cannot be."""
        self._answer = answer
        self._listener = _listening(place)
        self.place = Place(place.address, self._listener.getsockname()[1])
        self._epoll = select.epoll()
        self._epoll.register(self._listener, select.EPOLLIN)
        self._connections: dict[int, _Connection] = {}

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in list(self._connections.values()):
            self._close(connection)
        self._listener.close()
        self._epoll.close()

    def fileno(self) -> int:
        """Return the descriptor that is readable when `serve` has something to do."""
        return self._epoll.fileno()

    @property
    def streams(self) -> int:
        """Return how many streams of events are open."""
        return sum(connection.is_stream for connection in self._connections.values())

    def serve(self) -> None:
        """Do what can be done without waiting: take connections, read requests, send what is left to send."""
        for descriptor, ready in self._epoll.poll(0):
            if descriptor == self._listener.fileno():
                self._accept()
            elif connection := self._connections.get(descriptor):
                self._attend(connection, ready)
        now = time.monotonic()
        for connection in [one for one in self._connections.values() if one.until is not None and one.until < now]:
            self._close(connection)

    def send(self, events: bytes) -> None:
        """Send events to all streams."""
        for connection in [one for one in self._connections.values() if one.is_stream]:
            self._queue(connection, events)

    def _accept(self) -> None:
        with suppress(OSError):  # it has gone again, or there are too many files: it waits, or is refused
            while True:
                accepted, _ = self._listener.accept()
                accepted.setblocking(False)
                waiting = [one for one in self._connections.values() if not one.is_stream]
                if len(waiting) >= MOST_WAITING:
                    self._close(waiting[0])
                self._connections[accepted.fileno()] = _Connection(accepted, time.monotonic() + PATIENCE)
                self._epoll.register(accepted, select.EPOLLIN | select.EPOLLRDHUP)

    def _attend(self, connection: _Connection, ready: int) -> None:
        try:
            if ready & select.EPOLLOUT:
                self._flush(connection)
            goes_on = self._read(connection) if ready & select.EPOLLIN else True
            if not goes_on or ready & (select.EPOLLHUP | select.EPOLLERR):
                self._close(connection)
        except OSError:  # it has gone
            self._close(connection)

    def _read(self, connection: _Connection) -> bool:
        """Read what has come, and answer a whole request. Return whether more may come."""
        part = connection.socket.recv(_PART)
        if connection.answered:  # whatever more it says is not listened to
            return bool(part)
        connection.received += part
        try:
            asked = request(bytes(connection.received))
        except BadRequest as bad:
            self._respond(connection, Request("GET", "", ""), bad.response, b"")
            return True
        if asked is not None and self.streams >= MOST_STREAMS:
            self._respond(connection, asked, Response(HTTPStatus.SERVICE_UNAVAILABLE, body=_FULL.encode()), b"")
        elif asked is not None:
            self._respond(connection, asked, *self._answer(asked))
        return bool(part)

    def _respond(self, connection: _Connection, asked: Request, response: Response, events: bytes) -> None:
        connection.answered = True
        whole = asked.method != "HEAD"
        if response.is_stream and whole:
            connection.until = None
        self._queue(connection, response.encoded(whole) + (events if whole else b""))

    def _queue(self, connection: _Connection, data: bytes) -> None:
        connection.unsent += data
        try:
            self._flush(connection)
        except OSError:
            self._close(connection)

    def _flush(self, connection: _Connection) -> None:
        """Send what the kernel takes now, and ask to be told when it takes more. Raise OSError."""
        while connection.unsent:
            try:
                sent = connection.socket.send(connection.unsent[:_PART])
            except BlockingIOError:
                break
            del connection.unsent[:sent]
        if len(connection.unsent) > MOST_UNREAD or (not connection.unsent and not connection.is_stream):
            self._close(connection)
            return
        more = select.EPOLLOUT if connection.unsent else 0
        self._epoll.modify(connection.socket, select.EPOLLIN | select.EPOLLRDHUP | more)

    def _close(self, connection: _Connection) -> None:
        """Close a connection. Processes that were forked have its descriptor, too, so it is shut down besides."""
        if self._connections.pop(connection.socket.fileno(), None) is None:
            return
        self._epoll.unregister(connection.socket)
        with suppress(OSError):
            connection.socket.shutdown(socket.SHUT_RDWR)
        connection.socket.close()


def _listening(place: Place) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # also where old connections still end
        listener.bind((place.address, place.port))
        listener.listen()
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _cannot(place, error) from None
    return listener


def _cannot(place: Place, error: OSError) -> UsageError:
    hints = {
        errno.EADDRINUSE: f"another program has it; choose a port: --web {place.host}:{place.port + 1}, or 0 for any",
        errno.EADDRNOTAVAIL: "this machine has no such address; 0.0.0.0 stands for all that it has",
        errno.EACCES: "ports below 1024 are for root; choose another: --web 127.0.0.1:8484",
    }
    why = os.strerror(error.errno or 0) if error.errno is None else kernel_words(error)
    return UsageError(
        f"the page cannot be served at {place.host}:{place.port}", why, hints.get(error.errno or 0, "choose another")
    )
