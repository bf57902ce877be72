"""An endpoint bound to a wildcard: it serves all addresses of its host, and answers from the one that was addressed.

The peer's socket is connected, and a connected socket has one local address: the kernel pins the one that its route to
the peer prefers. A datagram of the peer to another of our addresses comes to the unconnected socket (`udp`), which is
told the address it was sent to (IP_PKTINFO, ip(7)). That is the address to answer from: a socket is bound to it and
connected, and takes the place of the first under the same descriptor.

The same is done when the pinned address is deleted, with the address that the kernel prefers now. By itself the
socket would be of no use: IPv4 refuses to send (EINVAL), and IPv6 sends from an address that no answer can reach.

Buffers of full size take rights that an endpoint drops (SO_RCVBUFFORCE), so some sockets are opened beforehand.
To bind a port below 1024 takes a right, too, CAP_NET_BIND_SERVICE: it is the one that is kept for such a port.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable
from contextlib import closing, suppress

from labctl.engine.packets.address import Address
from labctl.engine.udp.sockets import family_of, forget, open_socket, sharing, sockaddr

SPARES = 4
# Below, a port is for the privileged, unless ip_unprivileged_port_start says otherwise (ip(7)).
UNPRIVILEGED = 1024
# Not in the socket module: linux/in.h.
IP_PKTINFO = 8


class Wildcard:
    """Moves the connected socket of a wildcard from one local address to another."""

    def __init__(self, connected: socket.socket, strangers: socket.socket, peer: Address) -> None:
        self._connected, self._strangers, self._peer = connected, strangers, peer
        self._port = strangers.getsockname()[1]
        self._spares = [open_socket(peer) for _ in range(SPARES)]
        if peer.version == 6:
            strangers.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            strangers.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)

    def close(self) -> None:
        for each in self._spares:
            each.close()

    def move(self, host: str) -> None:
        """Bind a socket to this address, under the connected socket's descriptor. Raise OSError if refused."""
        with closing(self._spares.pop() if self._spares else open_socket(self._peer)) as fresh:
            with sharing(fresh, self._strangers):
                fresh.bind(sockaddr(Address(host, self._port)))
            fresh.connect(sockaddr(self._peer))
            forget(fresh)
            os.dup2(fresh.fileno(), self._connected.fileno(), inheritable=False)

    def successor(self) -> str | None:
        """Return the address to move to, if the pinned one is gone and there is another."""
        host, _, *scope = self._connected.getsockname()
        with socket.socket(family_of(self._peer), socket.SOCK_DGRAM) as probe:
            with suppress(OSError):
                probe.bind((host, 0, *scope))
                return None
            with suppress(OSError):
                probe.connect(sockaddr(self._peer))
                return str(probe.getsockname()[0])
        return None


def addressed(ancillary: Iterable[tuple[int, int, bytes]]) -> str | None:
    """Return the local address that a datagram was sent to, if the ancillary data have it."""
    for level, kind, value in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            # Of a broadcast, the address of ours to answer it from.
            return socket.inet_ntop(socket.AF_INET, value[4:8])
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            packed, index = struct.unpack("=16sI", value[:20])
            host = socket.inet_ntop(socket.AF_INET6, packed)
            return f"{host}%{socket.if_indextoname(index)}" if host.startswith("fe80:") else host
    return None
