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
from dataclasses import replace
from mmap import mmap

from labctl.checks.command_lines import DATAGRAM
from labctl.frozen import frozen
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


@frozen
class Flow:
    """Data under way, or the end of it that is here: its processes, and what tells of it so far, in bytes."""

    processes: tuple[int, ...]
    arrived: Callable[[], int]
    rtt: float = 0.0  # seconds; 0 where it is not known
    offered: Callable[[], int | None] = lambda: None  # what was sent; None where that is what goes through
    dropped: Callable[[], int] = lambda: 0  # what has come, and did not fit into the socket of the receiver


@contextmanager
def stream(sender: socket.socket, receiver: socket.socket, patience: PatienceFor) -> Iterator[Flow]:
    """Yield a flow over a TCP connection, and end it."""
    with stream_received(receiver, patience, sender) as flow, stream_sent(sender) as sending:
        yield replace(flow, processes=(sending, *flow.processes), rtt=tcp_info(sender).rtt)


@contextmanager
def stream_sent(sender: socket.socket) -> Iterator[int]:
    """Yield the PID of a process that sends as much as goes over a TCP connection; end what it sends."""
    sender.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, _UNSENT)
    sender.setblocking(True)

    def send() -> None:
        part = bytes(_PART)
        while True:
            sender.send(part)

    with _process(send) as sending:
        yield sending
    with suppress(OSError):  # it has been reset
        sender.shutdown(socket.SHUT_WR)


@contextmanager
def stream_received(receiver: socket.socket, patience: PatienceFor, *others: socket.socket) -> Iterator[Flow]:
    """Yield what comes over a TCP connection, and wait for its end; where there is none, reset it and the others."""
    receiver.setblocking(True)

    def receive() -> None:
        part = bytearray(2 * _PART)
        while receiver.recv_into(part):
            pass

    with _process(receive) as receiving:
        yield Flow((receiving,), lambda: tcp_info(receiver).received, tcp_info(receiver).rtt)
        if not _ends(receiving, patience):
            for end in (receiver, *others):  # no packet more than a RST (socket(7))
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))


@contextmanager
def datagrams(sender: socket.socket, receiver: socket.socket, rate: float, patience: PatienceFor) -> Iterator[Flow]:
    """Yield a flow of datagrams at a rate in bits per second, and end it."""
    with datagrams_received(receiver, patience) as flow, datagrams_sent(sender, rate) as (sending, offered):
        yield replace(flow, processes=(sending, *flow.processes), offered=offered)


@contextmanager
def datagrams_sent(sender: socket.socket, rate: float) -> Iterator[tuple[int, Callable[[], int]]]:
    """Yield the PID of a process that sends datagrams at a rate in bits per second, and what tells their bytes."""
    sent = _cell()

    def send() -> None:
        datagram, each = bytes(DATAGRAM), 8 * DATAGRAM / rate
        due = time.monotonic()
        while True:
            now = time.monotonic()
            due = max(due, now - _BURST)
            while due <= now:
                with suppress(OSError):  # a full queue, or what the network answered to another one
                    sender.send(datagram)
                sent[0] += DATAGRAM
                due += each
            time.sleep(max(min(due - now, _TICK), 0))

    with _process(send) as sending:
        yield sending, lambda: int(sent[0])


@contextmanager
def datagrams_received(receiver: socket.socket, patience: PatienceFor) -> Iterator[Flow]:
    """Yield what comes of datagrams, and wait until no more come."""
    received = _cell()
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _MEMORY)
    with suppress(PermissionError):
        receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, _MEMORY)
    receiver.setblocking(True)

    def receive() -> None:
        part = bytearray(1 << 16)
        while True:
            received[0] += receiver.recv_into(part)

    with _process(receive) as receiving:
        flow = Flow((receiving,), lambda: int(received[0]), dropped=lambda: receive_drops(receiver) * DATAGRAM)
        yield flow
        _come_to_rest(flow.arrived, patience)


def _cell() -> memoryview:
    """Return a counter that processes share."""
    return memoryview(mmap(-1, 8)).cast("Q")


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
