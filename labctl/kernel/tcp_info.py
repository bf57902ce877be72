"""What the kernel knows of a TCP connection (tcp(7), TCP_INFO; struct tcp_info of linux/tcp.h)."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

_SIZE = 136
_RTT, _BYTES_RECEIVED = 68, 128  # where they are in the structure


class TcpInfo(NamedTuple):
    """The smoothed round-trip time in seconds, and how many bytes of data have come in order."""

    rtt: float
    received: int


def tcp_info(connection: socket.socket) -> TcpInfo:
    """Return what is known of a connection."""
    found = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
    (rtt,), (received,) = struct.unpack_from("=I", found, _RTT), struct.unpack_from("=Q", found, _BYTES_RECEIVED)
    return TcpInfo(rtt / 1e6, received)
