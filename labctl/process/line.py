"""A line between two processes, on which each sends the other objects (pickle) as they come: a socket pair."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import Any

from labctl.process import pickling

_LENGTH = struct.Struct("=I")
_PART, _PARTS = 1 << 16, 16


class Hangup(Exception):
    """The other end of the line is closed, or its process has ended."""


class Line:
    """One end of a line."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._unread = bytearray()

    @classmethod
    def pair(cls) -> tuple[Line, Line]:
        """Return both ends of a new line. Raise OSError."""
        one, other = socket.socketpair()
        return cls(one), cls(other)

    def fileno(self) -> int:
        """Return the descriptor that is readable once there is something to receive."""
        return self._connection.fileno()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def hang_up(self) -> None:
        """Say no more, and hear when the other end does so, too."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)

    def send(self, sent: object) -> None:
        """Send an object, and wait until there is room for it. Raise Hangup."""
        data = pickling.dumps(sent)
        try:
            self._connection.sendall(_LENGTH.pack(len(data)) + data)
        except OSError as error:
            raise Hangup from error

    def offer(self, sent: object) -> None:
        """Send a small object if there is room for it at once; the other end can do without it."""
        data = pickling.dumps(sent)
        with suppress(OSError):
            # Less than a page goes whole or not at all (net/unix/af_unix.c: unix_stream_sendmsg).
            self._connection.send(_LENGTH.pack(len(data)) + data, socket.MSG_DONTWAIT)

    def received(self) -> list[Any]:
        """Return the objects that have come whole, without waiting. Raise Hangup where none will come any more."""
        hung_up = False
        for _ in range(_PARTS):  # one who sends all the time is not listened to all the time
            try:
                part = self._connection.recv(_PART, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError:
                part = b""
            self._unread += part
            if hung_up := not part:
                break
        found = []
        while len(self._unread) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._unread)
            end = _LENGTH.size + length
            if len(self._unread) < end:
                break
            found.append(pickling.loads(bytes(self._unread[_LENGTH.size : end])))
            del self._unread[:end]
        if hung_up and not found:
            raise Hangup
        return found
