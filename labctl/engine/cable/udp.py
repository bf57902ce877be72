"""The UDP side: one socket of the host's own network namespace, which sends and receives rows of sealed datagrams.

It is bound where the command was called, and handed over, so that the engine, which lives in the lab, still has it. It
is not connected: the kernel would then drop the datagrams of other senders, and they would not be counted. Fragments of
IP are forbidden, and ICMP messages on the path's MTU are ignored (IP_PMTUDISC_PROBE, ip(7)): `line` measures it.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

from labctl.engine.cable.sealing import Datagram
from labctl.engine.errors import EngineError
from labctl.engine.features import Feature, Features
from labctl.engine.packets.address import Address, host_of
from labctl.engine.packets.train import MOST_BYTES, MOST_PACKETS
from labctl.engine.ports import LARGEST, buffer
from labctl.engine.udp.sockets import discover, family_of, open_socket, sockaddr

UDP_SEGMENT, UDP_GRO = 103, 104  # linux/udp.h
PMTUDISC_PROBE = 3  # linux/in.h, linux/in6.h
ANCILLARY = 64
_NO_SEGMENTS = {errno.EIO, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOPROTOOPT}


def resolved(address: str) -> str:
    """Return the IP address that an address or a name is, an IPv4 one before others. Raise OSError if it is unknown."""
    with suppress(ValueError):
        return str(host_of(address))
    try:
        found = socket.getaddrinfo(address, None, type=socket.SOCK_DGRAM)
    except UnicodeError:  # a label that is empty or too long (RFC 1035, 2.3.4)
        raise OSError(errno.EINVAL, "it is no name of DNS") from None
    return str(min(found, key=lambda each: each[0] != socket.AF_INET)[4][0])


def local_host(address: str) -> str:
    """Return what a socket is bound to so that it is reached at this address: at all of the host's, if that is none.

    What a name stands for on its own host is often a loopback address, and a cloud translates to what the host has.
    """
    try:
        known = resolved(address)
    except OSError:
        return "0.0.0.0"
    everywhere = "::" if ":" in known else "0.0.0.0"
    if known != address:
        return everywhere
    with socket.socket(family_of(Address(known, 1)), socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((known, 0))
        except OSError:
            return everywhere
    return known


def bound(address: str, ports: Sequence[int]) -> socket.socket:
    """Return a socket of this host, reached at this address, at the first free one of these ports; of 0, at any.

    Raise EngineError if none is free.
    """
    host = local_host(address)
    with ExitStack() as unless_bound:
        made = unless_bound.enter_context(open_socket(Address(host, 1)))
        discover(made, PMTUDISC_PROBE)
        if ":" in host:  # the ECN field of a datagram is not asked for
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 0)
        else:
            made.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 0)
        for port in ports:
            try:
                made.bind((host, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    hint = "`ip address` shows what this host has"
                    raise EngineError(f"cannot bind a socket to {host}", error.errno or 0, hint) from error
            else:
                unless_bound.pop_all()
                return made
    hint = "end what has them, or name more with `ports:` of the host"
    raise EngineError(f"no port of {ports[0]}-{ports[-1]} is free at {host}", errno.EADDRINUSE, hint)


class CableSocket:
    """The socket, and the address of the other end once it is known."""

    def __init__(self, opened: socket.socket, features: Features) -> None:
        self._socket = opened
        self._peer: Any = None
        self.other_port = 0
        """The last port of the other host, not the other end's, that something came from; 0 before that."""
        self._features = features
        self._read = buffer(LARGEST)
        for option, feature in ((UDP_SEGMENT, Feature.UDP_SEGMENT), (UDP_GRO, Feature.UDP_GRO)):
            try:
                opened.setsockopt(socket.IPPROTO_UDP, option, int(option == UDP_GRO))
            except OSError:
                continue
            features.engage(feature)

    def fileno(self) -> int:
        """Return the descriptor that is readable while a datagram waits."""
        return self._socket.fileno()

    @property
    def port(self) -> int:
        """The port that it is bound to."""
        return int(self._socket.getsockname()[1])

    @property
    def version(self) -> int:
        """The IP version, 4 or 6."""
        return 6 if self._socket.family == socket.AF_INET6 else 4

    def face(self, peer: Address) -> None:
        """Exchange datagrams with this address from now on. Raise ValueError, OSError for one that cannot be."""
        if peer.version != self.version:
            raise ValueError(f"{peer} is not IPv{self.version}, as the socket of this end is")
        self._peer = sockaddr(peer)

    def receive(self) -> tuple[memoryview, int, bool]:
        """Return a row of datagrams, the size of each but the last, and whether they are the other end's.

        They are valid until the next call. Raise BlockingIOError if none waits, OSError for a fault of the socket.
        """
        length, ancillary, _, sender = self._socket.recvmsg_into((self._read,), ANCILLARY)
        size = length
        for _, kind, value in ancillary:
            if kind == UDP_GRO:
                size = int.from_bytes(value[:4], sys.byteorder)
        from_peer = self._peer is not None and sender[:2] == self._peer[:2]
        if not from_peer and self._peer is not None and sender[0] == self._peer[0]:
            self.other_port = sender[1]
        return self._read[:length], max(size, 1), from_peer

    def send(self, row: Sequence[Datagram]) -> None:
        """Send datagrams of one size, the last perhaps shorter. Raise OSError if one is refused, and send no more."""
        if len(row) == 1:
            self._socket.sendmsg(row[0], (), 0, self._peer)
            return
        size = sum(map(len, row[0]))
        most = min(MOST_PACKETS, max(1, MOST_BYTES // size))
        at = 0
        while at < len(row):
            some = row[at : at + most] if self._features.use(Feature.UDP_SEGMENT) else row[at : at + 1]
            try:
                self._send(some, size)
            except OSError as error:
                if len(some) == 1 or error.errno not in _NO_SEGMENTS:
                    raise
                self._features.give_up(Feature.UDP_SEGMENT, error)
            else:
                at += len(some)

    def _send(self, row: Sequence[Datagram], size: int) -> None:
        segment = ((socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", size)),) if len(row) > 1 else ()
        self._socket.sendmsg([part for datagram in row for part in datagram], segment, 0, self._peer)
