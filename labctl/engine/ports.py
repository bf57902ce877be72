"""The two sides of an endpoint as the forwarder sees them, and their in-memory twin.

A port moves `Train`s. It raises OSError as the kernel does, and BlockingIOError instead of waiting. The TUN device
(`tun`) and the peer (`udp`) have the same interface, so that one twin stands in for both.
"""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from labctl.engine.packets.address import Address
from labctl.engine.packets.train import Bytes, Train

LARGEST = 65536
"""Bytes that one packet, superframe or train takes at most."""


def buffer(size: int) -> memoryview:
    """Return memory of `size` bytes to receive into. Unlike a bytearray it takes no page that is never written to."""
    return memoryview(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


class Port(Protocol):
    """Where packets come from and go to."""

    def fileno(self) -> int:
        """Return the descriptor that is readable while a packet waits."""

    def receive(self) -> Bytes | list[Train]:
        """Take a packet that comes alone, or several as trains.

        Raise BlockingIOError if none waits, OSError for a fault of the port.
        """

    def rested(self) -> None:
        """Take note that nothing came for a moment: what comes next most likely comes alone."""

    def reconsider(self) -> None:
        """Look again at what was chosen by links and routes: some have changed."""

    def pieces(self, train: Train) -> Iterable[Train]:
        """Cut a train into what one `send` takes, in order."""

    def send(self, piece: Train) -> None:
        """Send one piece. Raise OSError if it is refused; nothing of it was then sent."""

    def send_lone(self, packet: Bytes) -> None:
        """Send one packet. Raise OSError if it is refused."""


class PeerPort(Port, Protocol):
    """A port to the peer, from an address of ours, over a path of some MTU."""

    def source(self) -> Address:
        """Return the address that datagrams leave from."""

    def successor(self) -> str | None:
        """Return the address to leave from instead, if the present one is gone and there is another."""

    def leave_from(self, host: str) -> None:
        """Leave from this address from now on. Raise OSError if that is impossible."""

    def mtu(self) -> int:
        """Return the largest packet that fits into one datagram on the path, in bytes, as the kernel knows it now."""

    def send_in_fragments(self, single: Train) -> None:
        """Send one packet that does not fit, in fragments. Raise OSError if it is refused."""


class StrangerPort(Protocol):
    """Where datagrams come from that are not the peer's."""

    def fileno(self) -> int:
        """Return the descriptor that is readable while a datagram waits."""

    def receive_from(self) -> tuple[bytes, str, str | None]:
        """Take one datagram, its sender as HOST:PORT and, if that is the peer, the address of ours that it was sent to.

        Raise BlockingIOError if none waits.
        """


class MemoryPort:
    """The twin of TunDevice and UdpPeer: packets wait in a queue, and tests say what fails.

    `receive` returns what `arrive` was called with, and raises an OSError. `sent` holds the packets that were sent,
    `calls` how many with each call; the errors in `failures` are raised by the next calls of `send`, None letting
    one pass. If `whole`, trains are sent as they are. Where `addressed` is set, `receive_from` returns datagrams as
    the peer's to that address.
    """

    def __init__(self, whole: bool = False) -> None:
        self.whole = whole
        self.host = "10.0.1.1"
        self.addressed: str | None = None
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

    def receive_from(self) -> tuple[bytes, str, str | None]:
        datagram = self.receive()
        assert isinstance(datagram, bytes)
        return datagram, "192.0.2.99:9", self.addressed

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

    def reconsider(self) -> None:
        """The twin's network does not change."""

    def source(self) -> Address:
        return Address(self.host, 9000)

    def successor(self) -> str | None:
        return None

    def leave_from(self, host: str) -> None:
        self.host = host

    def close(self) -> None:
        os.close(self._waiting)
