"""The UDP side, a packet for each call of the kernel, which works everywhere; `offload_udp` has the fast one.

The peer's socket is *connected*: the kernel itself then hands over only the peer's datagrams and
reports the ICMP errors that our own provoke. A second, unconnected socket at the same address and port
catches everyone else's, only so that they can be counted. Linux looks for the best match (`compute_score`
in net/ipv4/udp.c), so a datagram of the peer's never goes to the second socket. Two sockets may share a
port while both bear SO_REUSEADDR. The first is bound without it, which proves that nobody else is there,
and both lose it at the end, so that nobody else can join.
"""

import errno
import socket
import sys
from collections.abc import Iterable
from copy import copy
from typing import Any, Self, TypeVar

from labctl.engine.address import Address
from labctl.engine.ecn import ANY_ECN, changes, ecn_of
from labctl.engine.errors import explained
from labctl.engine.features import Features
from labctl.engine.ports import LARGEST
from labctl.engine.train import Bytes, Train

BUFFER = 8 << 20
# Bytes for what comes beside a datagram: the ECN field, the size of a train's packets.
ANCILLARY = 64

# Not in the socket module; asm-generic/socket.h, linux/in.h, linux/in6.h.
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DONT, PMTUDISC_DO = 10, 23, 0, 2
IP_MTU, IPV6_MTU = 14, 24

# To set the octet with the ECN field in what is sent, and to be told that of what comes.
_ECN_OPTIONS = {
    socket.AF_INET: ((socket.IPPROTO_IP, socket.IP_TOS), (socket.IPPROTO_IP, socket.IP_RECVTOS)),
    socket.AF_INET6: ((socket.IPPROTO_IPV6, socket.IPV6_TCLASS), (socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS)),
}
_OCTET = {socket.IP_TOS, socket.IPV6_TCLASS}
# It is a byte from IPv4 and a number of four bytes from IPv6.
_LOWEST = 0 if sys.byteorder == "little" else -1


class UdpPeer:
    """The connected socket: the peer, and nobody else."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        # The ECN field that the socket gives its datagrams.
        self._ecn = 0

    def over(self, connected: socket.socket) -> Self:
        """This port once more, over another socket. Both have the same buffers, so they take turns."""
        other = copy(self)
        other._socket = connected
        return other

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def source(self) -> Address:
        """Return the address that our datagrams leave from: for a wildcard, the one that the kernel has chosen."""
        host, port, *_ = self._socket.getsockname()
        return Address(host, port)

    def engage(self, features: Features) -> None:
        """Plain ports have no features."""

    def rested(self) -> None:
        """Plain ports take every packet alone."""

    def receive(self) -> Bytes | list[Train]:
        data, ancillary, _, _ = self._socket.recvmsg(LARGEST, ANCILLARY)
        ecn = ecn_in(ancillary)
        return [Train(memoryview(bytearray(data)), len(data), 1, ecn=ecn)] if changes(ecn) else data

    def pieces(self, train: Train) -> Iterable[Train]:
        return train.singles()

    def send(self, piece: Train) -> None:
        self.send_lone(piece.data)

    def send_lone(self, packet: Bytes) -> None:
        if packet[1] & ANY_ECN or self._ecn:
            self._mark_like(packet)
        self._socket.send(packet)

    def _mark_like(self, packet: Bytes) -> None:
        """Send with the ECN field of this packet from now on. Most packets have that of the one before."""
        ecn = ecn_of(packet)
        if ecn != self._ecn:
            self._socket.setsockopt(*_ECN_OPTIONS[self._socket.family][0], ecn)
            self._ecn = ecn

    def mtu(self) -> int:
        if self._socket.family == socket.AF_INET6:
            return self._socket.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU) - 48
        return self._socket.getsockopt(socket.IPPROTO_IP, IP_MTU) - 28

    def refuse_too_big(self) -> None:
        """Refuse (EMSGSIZE) what the path does not take whole, and learn from the path what that is."""
        self._discover(PMTUDISC_DO)

    def send_in_fragments(self, single: Train) -> None:
        self._discover(PMTUDISC_DONT)
        try:
            self._socket.send(single.data)
        finally:
            self._discover(PMTUDISC_DO)

    def _discover(self, mode: int) -> None:
        if self._socket.family == socket.AF_INET6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, mode)
        else:
            self._socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, mode)


class UdpStrangers:
    """The unconnected socket: everybody but the peer."""

    def __init__(self, unconnected: socket.socket) -> None:
        self._socket = unconnected
        self.fileno = unconnected.fileno
        self.close = unconnected.close

    def receive_from(self) -> tuple[bytes, str]:
        datagram, (host, port, *_) = self._socket.recvfrom(LARGEST)
        return datagram, str(Address(host, port)) if port else host


PeerKind = TypeVar("PeerKind", bound=UdpPeer)


def open_udp(
    bind: Address,
    peer: Address,
    kind: type[PeerKind] = UdpPeer,  # type: ignore[assignment]
) -> tuple[PeerKind, UdpStrangers]:
    """Open both sockets of an endpoint. Raises EngineError."""
    connected, strangers = _socket(bind), _socket(bind)
    try:
        _bind_both(connected, strangers, bind, peer)
    except BaseException:
        connected.close()
        strangers.close()
        raise
    return kind(connected), UdpStrangers(strangers)


def _bind_both(connected: socket.socket, strangers: socket.socket, bind: Address, peer: Address) -> None:
    hints = {
        errno.EADDRINUSE: "another program, perhaps another ttun, has this port: `ss -aunp` shows which",
        errno.EADDRNOTAVAIL: f"no interface here has this address (yet): ip addr add {bind.host} dev NAME",
        errno.EACCES: "ports under 1024 are for root: choose a higher one",
    }
    with explained(f"cannot bind {bind}", hints, "`ip addr` shows the addresses of this machine"):
        connected.bind(_sockaddr(bind))
    way = f"`ip route get {peer.host}` shows the way, if there is one"
    with explained(f"cannot send from {bind.host} to {peer}", {}, way):
        connected.connect(_sockaddr(peer))
    _forget(connected)
    with explained(f"cannot bind {bind} twice", hints, "`ss -aunp` shows who has this port"):
        for each in (connected, strangers):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        strangers.bind(_sockaddr(bind))
        for each in (connected, strangers):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


def _forget(connected: socket.socket) -> None:
    """Drop what came between bind and connect, when anybody's datagrams were still let in."""
    while True:
        try:
            connected.recv(LARGEST)
        except OSError:
            return


def _socket(bind: Address) -> socket.socket:
    with explained(f"cannot open a socket for {bind}", {}, "is this IP version switched off here?"):
        made = socket.socket(bind.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    for force, plain in ((SO_RCVBUFFORCE, socket.SO_RCVBUF), (SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            made.setsockopt(socket.SOL_SOCKET, force, BUFFER)
        except PermissionError:
            made.setsockopt(socket.SOL_SOCKET, plain, BUFFER)
    made.setsockopt(*_ECN_OPTIONS[bind.family][1], 1)
    # A datagram over the path's MTU is to be fragmented, not refused: the TUN's MTU is the user's choice.
    if bind.family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DONT)
    else:
        made.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DONT)
    return made


def ecn_in(ancillary: Iterable[tuple[int, int, bytes]]) -> int:
    """Return the ECN field that the kernel says a datagram had; 0 if it says nothing."""
    for _, kind, value in ancillary:
        if kind in _OCTET:
            return value[_LOWEST] & 3
    return 0


def _sockaddr(address: Address) -> Any:
    """The address as bind and connect take it, with the scope of a link-local one (fe80::1%wan0) resolved."""
    flags = socket.AI_NUMERICHOST
    try:
        # As bytes: for text Python loads its codec of international domain names, in every engine.
        host = address.host.encode()
        found = socket.getaddrinfo(host, address.port, address.family, socket.SOCK_DGRAM, 0, flags)
    except socket.gaierror as error:
        raise OSError(errno.ENODEV, str(error)) from error
    return found[0][4]
