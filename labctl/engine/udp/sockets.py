"""The sockets of an endpoint: how they are opened, and how two of them share one port.

Linux lets UDP sockets share a port while both have SO_REUSEADDR. They have it only while one of them is bound beside
the other, so that no other program can join.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labctl.engine.errors import explained
from labctl.engine.packets.address import Address
from labctl.engine.ports import LARGEST

BUFFER = 8 << 20

# Not in the socket module; asm-generic/socket.h, linux/in.h, linux/in6.h.
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DONT, PMTUDISC_DO = 10, 23, 0, 2


def family_of(address: Address) -> socket.AddressFamily:
    """Return AF_INET or AF_INET6."""
    return socket.AF_INET6 if address.version == 6 else socket.AF_INET


def open_socket(bind: Address) -> socket.socket:
    """Return a socket for this IP version, with buffers as large as allowed. Raise EngineError if refused."""
    with explained(f"cannot open a socket for {bind}", {}, "is this IP version switched off here?"):
        made = socket.socket(family_of(bind), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    for force, plain in ((SO_RCVBUFFORCE, socket.SO_RCVBUF), (SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            made.setsockopt(socket.SOL_SOCKET, force, BUFFER)
        except PermissionError:
            made.setsockopt(socket.SOL_SOCKET, plain, BUFFER)
    # Each datagram comes with the octet that holds its ECN field.
    if bind.version == 6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
    else:
        made.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    # A datagram over the path's MTU is to be fragmented, not refused: the TUN's MTU is the user's choice.
    discover(made, PMTUDISC_DONT)
    return made


def discover(made: socket.socket, mode: int) -> None:
    """Set what happens to datagrams over the path's MTU (ip(7), IP_MTU_DISCOVER)."""
    if made.family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, mode)
    else:
        made.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, mode)


@contextmanager
def sharing(*sockets: socket.socket) -> Iterator[None]:
    """Let these sockets share a port while the body binds one of them."""
    for each in sockets:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        yield
    finally:
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


def forget(connected: socket.socket) -> None:
    """Drop what came between bind and connect, when datagrams of any sender were let in."""
    while True:
        try:
            connected.recv(LARGEST)
        except OSError:
            return


def sockaddr(address: Address) -> Any:
    """Return the address as bind and connect take it, with the scope of a link-local one (fe80::1%wan0) resolved.

    Raise OSError (ENODEV) if there is no such interface.
    """
    flags = socket.AI_NUMERICHOST
    try:
        # As bytes: for text Python loads its codec of international domain names, in every engine.
        host = address.host.encode()
        found = socket.getaddrinfo(host, address.port, family_of(address), socket.SOCK_DGRAM, 0, flags)
    except socket.gaierror as error:
        raise OSError(errno.ENODEV, str(error)) from error
    return found[0][4]
