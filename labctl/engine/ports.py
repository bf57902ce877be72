"""The two sides of an endpoint, and their in-memory twin.

A port gives and takes `Train`s. Those here are trains of one, a packet for each call of the kernel, which
works everywhere; `offload_ports` has the fast ones. Both raise OSError as the kernel does and
BlockingIOError instead of waiting. The TUN device and the peer look the same through it, so that one twin
stands in for both.

**UDP.** The peer's socket is *connected*: the kernel itself then hands over only the peer's datagrams and
reports the ICMP errors that our own provoke. A second, unconnected socket at the same address and port
catches everyone else's, only so that they can be counted. Linux looks for the best match (`compute_score`
in net/ipv4/udp.c), so a datagram of the peer's never goes to the second socket. Two sockets may share a
port while both bear SO_REUSEADDR. The first is bound without it, which proves that nobody else is there,
and both lose it at the end, so that nobody else can join.
"""

import errno
import fcntl
import os
import socket
import struct
from collections import deque
from collections.abc import Iterable
from copy import copy
from typing import Any, Protocol, Self, TypeVar

from labctl.engine.address import Address
from labctl.engine.errors import EngineError, explained
from labctl.engine.features import Features
from labctl.engine.train import Bytes, Train

LARGEST = 65536
BUFFER = 8 << 20

# linux/if_tun.h
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
IFNAMSIZ = 16

# Not in the socket module; asm-generic/socket.h, linux/in.h, linux/in6.h.
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DONT, PMTUDISC_DO = 10, 23, 0, 2
IP_MTU, IPV6_MTU = 14, 24


class Port(Protocol):
    """Where packets come from and go to."""

    def fileno(self) -> int:
        """The descriptor that is readable while a packet waits."""

    def receive(self) -> Bytes | list[Train]:
        """Take a packet that comes alone, or several as trains.

        Raises BlockingIOError if none waits, OSError for a fault of the port.
        """

    def rested(self) -> None:
        """Take note that nothing came for a moment: what comes next most likely comes alone."""

    def pieces(self, train: Train) -> Iterable[Train]:
        """Cut a train into what one `send` takes, in order."""

    def send(self, piece: Train) -> None:
        """Give one piece away. Raises OSError; nothing of it was then sent."""

    def send_lone(self, packet: Bytes) -> None:
        """The same for one packet."""


class PeerPort(Port, Protocol):
    """A port to the peer, over a path of some MTU."""

    def mtu(self) -> int:
        """The largest packet that fits into one datagram on the path as the kernel knows it now."""

    def send_in_fragments(self, single: Train) -> None:
        """Send one packet that does not fit, in fragments. Raises OSError."""


class StrangerPort(Protocol):
    """Where datagrams come from that are not the peer's."""

    def fileno(self) -> int:
        """The descriptor that is readable while a datagram waits."""

    def receive_from(self) -> tuple[bytes, str]:
        """Take one datagram and its sender as HOST:PORT. Raises BlockingIOError if none waits."""


class TunDevice:
    """A TUN interface, attached, without the packet information header. Non-blocking."""

    flags = 0

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def open(cls, name: str) -> Self:
        """Attach to the interface `name`, or make one for as long as the port is open. Raises EngineError."""
        with explained("cannot open /dev/net/tun", _DEVICE_HINTS, "run `ls -l /dev/net/tun`"):
            descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        request = struct.pack(f"{IFNAMSIZ}sH22x", name.encode(), IFF_TUN | IFF_NO_PI | cls.flags)
        try:
            fcntl.ioctl(descriptor, TUNSETIFF, request)
        except OSError as error:
            os.close(descriptor)
            number = error.errno or errno.EIO
            hint = _ATTACH_HINTS.get(number, "`ip -details link show {}` shows what it is").format(name)
            raise EngineError(f"cannot attach to {name}", number, hint) from error
        # What another program asked for and did not take back (`offload_ports` says why).
        fcntl.ioctl(descriptor, TUNSETOFFLOAD, 0)
        return cls(descriptor)

    def over(self, descriptor: int) -> Self:
        """This port once more, over another descriptor. Both have the same buffers, so they take turns."""
        other = copy(self)
        other._descriptor = descriptor
        return other

    def fileno(self) -> int:
        return self._descriptor

    def engage(self, features: Features) -> None:
        """Plain ports have no features."""

    def rested(self) -> None:
        """Plain ports take every packet alone."""

    def receive(self) -> Bytes | list[Train]:
        return os.read(self._descriptor, LARGEST)

    def pieces(self, train: Train) -> Iterable[Train]:
        return train.singles()

    def send(self, piece: Train) -> None:
        self.send_lone(piece.data)

    def send_lone(self, packet: Bytes) -> None:
        os.write(self._descriptor, packet)

    def close(self) -> None:
        os.close(self._descriptor)


_DEVICE_HINTS = {
    errno.ENOENT: "load the driver as root: modprobe tun",
    errno.ENODEV: "this kernel has no TUN driver; as root try: modprobe tun",
    errno.ENXIO: "this kernel has no TUN driver; as root try: modprobe tun",
    errno.EACCES: "ask for the right to open it: as root, chmod 0666 /dev/net/tun",
    errno.EPERM: "this container may not use TUN: start it with --device /dev/net/tun",
}
_ATTACH_HINTS = {
    errno.EPERM: "as root make it yours: ip tuntap add dev {} mode tun user NAME",
    errno.EBUSY: "another program is attached to {0}: end it, or use another device",
    errno.EINVAL: "{0} exists but is no plain TUN device: see `ip -details link show {0}`",
}


class UdpPeer:
    """The connected socket: the peer, and nobody else."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def over(self, connected: socket.socket) -> Self:
        """This port once more, over another socket. Both have the same buffers, so they take turns."""
        other = copy(self)
        other._socket = connected
        return other

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def engage(self, features: Features) -> None:
        """Plain ports have no features."""

    def rested(self) -> None:
        """Plain ports take every packet alone."""

    def receive(self) -> Bytes | list[Train]:
        return self._socket.recv(LARGEST)

    def pieces(self, train: Train) -> Iterable[Train]:
        return train.singles()

    def send(self, piece: Train) -> None:
        self.send_lone(piece.data)

    def send_lone(self, packet: Bytes) -> None:
        self._socket.send(packet)

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
    # A datagram over the path's MTU is to be fragmented, not refused: the TUN's MTU is the user's choice.
    if bind.family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DONT)
    else:
        made.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DONT)
    return made


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


class MemoryPort:
    """The twin of TunDevice and UdpPeer: packets wait in a queue, and tests say what fails.

    What `arrive` is given comes out of `receive`, an OSError by being raised. `sent` holds the packets that
    were sent, `calls` how many with each call; the errors in `failures` are raised by the next calls of
    `send`, None letting one pass. `whole` trains are taken if it is set.
    """

    def __init__(self, whole: bool = False) -> None:
        self.whole = whole
        self.sent: list[bytes] = []
        self.calls: list[int] = []
        self.failures: deque[OSError | None] = deque()
        self._arrivals: deque[bytes | Train | OSError] = deque()
        # One unit per arrival: the descriptor is readable exactly while something waits.
        self._waiting = os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def arrive(self, *arrivals: bytes | Train | OSError) -> None:
        """Put packets, or errors, where `receive` finds them."""
        self._arrivals.extend(arrivals)
        if arrivals:
            os.eventfd_write(self._waiting, len(arrivals))

    @property
    def has_arrivals(self) -> bool:
        """Whether `receive` finds something."""
        return bool(self._arrivals)

    def fileno(self) -> int:
        return self._waiting

    def receive(self) -> Bytes | list[Train]:
        os.eventfd_read(self._waiting)
        arrival = self._arrivals.popleft()
        if isinstance(arrival, OSError):
            raise arrival
        return [arrival] if isinstance(arrival, Train) else arrival

    def receive_from(self) -> tuple[bytes, str]:
        datagram = self.receive()
        assert isinstance(datagram, bytes)
        return datagram, "192.0.2.99:9"

    def rested(self) -> None:
        """The twin does not tell one moment from another."""

    def pieces(self, train: Train) -> Iterable[Train]:
        return train.sendable() if self.whole else train.singles()

    def send(self, piece: Train) -> None:
        if self.failures and (failure := self.failures.popleft()):
            raise failure
        self.sent.extend(map(bytes, piece.packets()))
        self.calls.append(piece.number)

    def send_lone(self, packet: Bytes) -> None:
        self.send(Train.of(packet))

    def mtu(self) -> int:
        return 1472

    def send_in_fragments(self, single: Train) -> None:
        self.send(single)

    def close(self) -> None:
        os.close(self._waiting)
