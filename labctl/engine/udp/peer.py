"""The UDP side, a packet for each call of the kernel, which works everywhere; `offload` is the fast one.

The peer's socket is *connected*: the kernel itself then hands over only the peer's datagrams and
reports the ICMP errors that our own provoke. A second, unconnected socket at the same address and port
receives all others, only so that they can be counted. Linux looks for the best match (`compute_score`
in net/ipv4/udp.c), so a datagram of the peer's goes to the second socket only where that is bound to a wildcard
(`wildcard`). The first is bound before the second may share its port, which proves that no other program has it.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterable
from copy import copy
from typing import Self, TypeVar

from labctl.engine.errors import explained
from labctl.engine.features import Features
from labctl.engine.packets.address import Address
from labctl.engine.packets.ecn import ANY_ECN, changes, ecn_of
from labctl.engine.packets.train import Bytes, Train
from labctl.engine.ports import LARGEST
from labctl.engine.udp.sockets import PMTUDISC_DO, PMTUDISC_DONT, discover, forget, open_socket, sharing, sockaddr
from labctl.engine.udp.wildcard import Wildcard, addressed

# Bytes for what comes beside a datagram: the octet with its ECN field, the size of a train's packets or where it went.
ANCILLARY = 64

# Not in the socket module: linux/in.h, linux/in6.h.
IP_MTU, IPV6_MTU = 14, 24

_OCTET = {
    socket.AF_INET: (socket.IPPROTO_IP, socket.IP_TOS),
    socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_TCLASS),
}
_OCTETS = {kind for _, kind in _OCTET.values()}
# It is a byte from IPv4 and a number of four bytes from IPv6.
_LOWEST = 0 if sys.byteorder == "little" else -1


class UdpPeer:
    """The connected socket, which exchanges datagrams with the peer only."""

    def __init__(self, connected: socket.socket, wildcard: Wildcard | None = None) -> None:
        self._socket = connected
        self._wildcard = wildcard
        self._discovery = PMTUDISC_DONT
        # The ECN field that the socket sends with.
        self._ecn = 0

    def over(self, connected: socket.socket) -> Self:
        """Return this port over another socket. Both use the same buffers, so only one may be in use at a time."""
        other = copy(self)
        other._socket = connected
        return other

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()
        if self._wildcard:
            self._wildcard.close()

    def source(self) -> Address:
        """Return the address that datagrams leave from: for a wildcard, the one that the kernel has chosen."""
        host, port, *_ = self._socket.getsockname()
        return Address(host, port)

    def successor(self) -> str | None:
        """Return the address to leave from instead, if the present one is gone and there is another."""
        return self._wildcard.successor() if self._wildcard else None

    def leave_from(self, host: str) -> None:
        """Leave from this local address from now on, under the same descriptor. Raise OSError if refused."""
        assert self._wildcard, "one address cannot be another"
        self._wildcard.move(host)
        self._ecn = 0
        discover(self._socket, self._discovery)

    def engage(self, features: Features) -> None:
        """Plain ports have no features."""

    def rested(self) -> None:
        """Plain ports take every packet alone."""

    def reconsider(self) -> None:
        """A plain port chooses only the address that it leaves from: see `successor`."""

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
            self._socket.setsockopt(*_OCTET[self._socket.family], ecn)
            self._ecn = ecn

    def mtu(self) -> int:
        """Return the largest packet that fits the path as it is now, in bytes; LARGEST while there is no route."""
        six = self._socket.family == socket.AF_INET6
        option, headers = ((socket.IPPROTO_IPV6, IPV6_MTU), 48) if six else ((socket.IPPROTO_IP, IP_MTU), 28)
        try:
            return self._socket.getsockopt(*option) - headers
        except OSError:
            return LARGEST

    def refuse_too_big(self) -> None:
        """Refuse (EMSGSIZE) what the path does not take whole, and learn from the path what that is."""
        self._discovery = PMTUDISC_DO
        discover(self._socket, PMTUDISC_DO)

    def send_in_fragments(self, single: Train) -> None:
        discover(self._socket, PMTUDISC_DONT)
        try:
            self._socket.send(single.data)
        finally:
            discover(self._socket, self._discovery)


class UdpStrangers:
    """The unconnected socket: datagrams that are not the peer's, or are for another address of a wildcard."""

    def __init__(self, unconnected: socket.socket, peer: tuple[str, int]) -> None:
        self._socket = unconnected
        self._peer = peer
        self.fileno = unconnected.fileno
        self.close = unconnected.close

    def receive_from(self) -> tuple[bytes, str, str | None]:
        datagram, ancillary, _, (host, port, *_) = self._socket.recvmsg(LARGEST, ANCILLARY)
        at = addressed(ancillary) if (host, port) == self._peer else None
        return datagram, str(Address(host, port)) if port else host, at


PeerKind = TypeVar("PeerKind", bound=UdpPeer)


def open_udp(
    bind: Address,
    peer: Address,
    kind: type[PeerKind] = UdpPeer,  # type: ignore[assignment]
) -> tuple[PeerKind, UdpStrangers]:
    """Open both sockets of an endpoint. Raise EngineError if the kernel refuses."""
    connected, strangers = open_socket(bind), open_socket(bind)
    try:
        _bind_both(connected, strangers, bind, peer)
        wildcard = Wildcard(connected, strangers, peer) if bind.is_wildcard else None
    except BaseException:
        connected.close()
        strangers.close()
        raise
    return kind(connected, wildcard), UdpStrangers(strangers, connected.getpeername()[:2])


def _bind_both(connected: socket.socket, strangers: socket.socket, bind: Address, peer: Address) -> None:
    hints = {
        errno.EADDRINUSE: "another program, perhaps another ttun, has this port: `ss -aunp` shows which",
        errno.EADDRNOTAVAIL: f"no interface here has this address (yet): ip addr add {bind.host} dev NAME",
        errno.EACCES: "ports under 1024 are for root: choose a higher one",
    }
    with explained(f"cannot bind {bind}", hints, "`ip addr` shows the addresses of this machine"):
        connected.bind(sockaddr(bind))
    hint = f"`ip route get {peer.host}` shows the route, if there is one"
    with explained(f"cannot send from {bind.host} to {peer}", {}, hint):
        connected.connect(sockaddr(peer))
    forget(connected)
    shown = "`ss -aunp` shows who has this port"
    with explained(f"cannot bind {bind} twice", hints, shown), sharing(connected, strangers):
        strangers.bind(sockaddr(bind))


def ecn_in(ancillary: Iterable[tuple[int, int, bytes]]) -> int:
    """Return the ECN field of a datagram from its ancillary data; 0 if they lack it."""
    for _, kind, value in ancillary:
        if kind in _OCTETS:
            return value[_LOWEST] & 3
    return 0
