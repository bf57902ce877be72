"""When the kernel saw a packet (SO_TIMESTAMPNS, socket(7)), in nanoseconds since the epoch."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable

SO_TIMESTAMPNS = 35  # asm-generic/socket.h
SPACE = socket.CMSG_SPACE(16)
"""Bytes that a stamp takes among the ancillary data of a packet."""

_TIMESPEC = struct.Struct("=qq")


def ask_for_stamps(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def stamp(ancillary: Iterable[tuple[int, int, bytes]]) -> int:
    """Return the stamp among the ancillary data of a packet."""
    (data,) = [data for level, kind, data in ancillary if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS)]
    seconds, nanoseconds = _TIMESPEC.unpack(data)
    return int(seconds * 10**9 + nanoseconds)
