"""As much data as will go through, from a process that only sends to one that only receives.

Over TCP the receiving kernel counts what has come, so a receiver that is late does not make the network slow. Over UDP
the receiver counts, and what did not fit into its socket is counted by the kernel. A datagram is sent when it is due;
a sender that was kept from it for longer than a moment does not make up for that with a burst.

At the end what is under way is let through: it would be counted in the next check.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from mmap import mmap

from labctl.checks.command_lines import DATAGRAM
from labctl.kernel.sockets import receive_drops
from labctl.kernel.tcp_info import tcp_info
from labctl.process.child import Reply, start
from labctl.process.patience import PatienceFor
from labctl.process.signals import beside_terminal
from labctl.process.syscalls import die_with_parent

DRAINING = 5.0
"""Seconds that are waited for what is under way at the end."""

_BURST = 0.02  # seconds whose datagrams are sent at once where the sender was late
_TICK = 0.001
_STILL = 0.1  # seconds without a datagram after which none is under way any more
_PART = 1 << 17
_UNSENT = 1 << 18
TCP_NOTSENT_LOWAT = 25  # linux/tcp.h: bytes that wait unsent in a socket, at most
SO_RCVBUFFORCE = 33  # asm-generic/socket.h
_MEMORY = 8 << 20


class Flow:
    """Data under way between two processes."""

    def __init__(self, sender: int, receiver: int, arrived: Callable[[], int], rtt: float) -> None:
        self.processes = (sender, receiver)
        self.arrived = arrived  # bytes that have come so far
        self.rtt = rtt  # seconds; 0 where it is not known

    def offered(self) -> int | None:
        """Return the bytes that were sent so far; None where the protocol sends what goes through."""
        return None

    def dropped(self) -> int:
        """Return the bytes that have come so far, and did not fit into the socket of the receiver."""
        return 0


class _Paced(Flow):
    """Datagrams at a rate."""

    def __init__(self, sender: int, receiver: int, cells: memoryview, connection: socket.socket) -> None:
        super().__init__(sender, receiver, lambda: int(cells[0]), 0.0)
        self._cells, self._connection = cells, connection

    def offered(self) -> int:
        return int(self._cells[1])

    def dropped(self) -> int:
        return receive_drops(self._connection) * DATAGRAM


@contextmanager
def stream(sender: socket.socket, receiver: socket.socket, patience: PatienceFor) -> Iterator[Flow]:
    """Yield a flow over a TCP connection, and end it."""
    sender.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, _UNSENT)
    for end in (sender, receiver):
        end.setblocking(True)

    def send() -> None:
        part = bytes(_PART)
        while True:
            sender.send(part)

    def receive() -> None:
        part = bytearray(2 * _PART)
        while receiver.recv_into(part):
            pass

    with _process(receive) as receiving:
        with _process(send) as sending:
            yield Flow(sending, receiving, lambda: tcp_info(receiver).received, tcp_info(sender).rtt)
        with suppress(OSError):  # it has been reset
            sender.shutdown(socket.SHUT_WR)
        if not _ends(receiving, patience):
            for end in (sender, receiver):  # no packet more than a RST (socket(7))
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))


@contextmanager
def datagrams(sender: socket.socket, receiver: socket.socket, rate: float, patience: PatienceFor) -> Iterator[Flow]:
    """Yield a flow of datagrams at a rate in bits per second, and end it."""
    cells = memoryview(mmap(-1, 16)).cast("Q")  # bytes that were received, and sent
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _MEMORY)
    with suppress(PermissionError):
        receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, _MEMORY)
    receiver.setblocking(True)

    def send() -> None:
        datagram, each = bytes(DATAGRAM), 8 * DATAGRAM / rate
        due = time.monotonic()
        while True:
            now = time.monotonic()
            due = max(due, now - _BURST)
            while due <= now:
                with suppress(OSError):  # a full queue, or what the network answered to another one
                    sender.send(datagram)
                cells[1] += DATAGRAM
                due += each
            time.sleep(max(min(due - now, _TICK), 0))

    def receive() -> None:
        part = bytearray(1 << 16)
        while True:
            cells[0] += receiver.recv_into(part)

    with _process(receive) as receiving:
        with _process(send) as sending:
            yield _Paced(sending, receiving, cells, receiver)
        _come_to_rest(lambda: int(cells[0]), patience)


@contextmanager
def _process(work: Callable[[], None]) -> Iterator[int]:
    """Yield the PID of a process that does some work until the end of the body, or that of this one."""
    parent = os.getpid()

    def alone(_: Reply) -> None:
        beside_terminal()
        die_with_parent(parent)
        with suppress(OSError):  # the connection was reset: what has come until then is known
            work()

    child = start(alone)
    child.close()
    try:
        yield child.pid
    finally:
        with suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        child.wait()


def _ends(process: int, patience: PatienceFor) -> bool:
    """Return whether a process has ended by itself, which is waited for."""
    descriptor = os.pidfd_open(process)
    try:
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        return patience(DRAINING, process).wait(ended)
    finally:
        os.close(descriptor)


def _come_to_rest(arrived: Callable[[], int], patience: PatienceFor) -> None:
    """Wait until nothing has come for a while."""
    waiting = patience(DRAINING)
    before = -1
    for _ in waiting.looks(_STILL):
        now = arrived()
        if now == before:
            break
        before = now
