"""throughput between two hosts: the receiver's half on one, the sender's on the other, and what follows from both.

The receiver says when it listens, and the sender is begun then; that says when it sends, and the receiver measures from
then on. It says when it has measured enough, and the sender is told to end. Their clocks are two, so what kept the
sender from its work is known of the whole time, and taken for each interval of the receiver.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from labctl.checks import rates
from labctl.checks.command_lines import offered
from labctl.checks.flow import datagrams_received, datagrams_sent, stream_received, stream_sent
from labctl.checks.kinds.nc_apart import LONGER
from labctl.checks.kinds.throughput import CONNECTING, cannot_listen, concluded, measured, no_connection
from labctl.checks.listening import listen
from labctl.checks.patient_socket import once, opened, set_out, until_connected
from labctl.checks.rates import Interval
from labctl.checks.refusal import refused_at_once
from labctl.checks.results import Outcome
from labctl.checks.tcp_close import wait_until_closed
from labctl.frozen import frozen
from labctl.process.patience import PatienceFor
from labctl.topology.model import Throughput


@frozen
class Received:
    """What came, in bytes, in all and in each interval; `outcome` where nothing could."""

    arrived: int = 0
    intervals: tuple[Interval, ...] = ()
    outcome: Outcome | None = None


@frozen
class Sent:
    """The bytes that were sent, where they are counted, and how many times as many it might have been on an idle host.

    `outcome` where nothing was sent.
    """

    offered: int | None = None
    might: float = 1.0
    outcome: Outcome | None = None


def receive(
    asked: Throughput,
    patience: PatienceFor,
    ready: Callable[[], object],
    begun: Callable[[], object],
    enough: Callable[[], object],
) -> Received:
    """Listen, call `ready`, and `begun`, which returns once the sender sends; measure, call `enough`, take the rest."""
    port = 0
    with ExitStack() as stack:
        receiver = stack.enter_context(opened(asked.to, asked.protocol, asked.address.version))
        try:
            listen(receiver, asked.protocol, asked.address, asked.port)
        except OSError as error:
            return Received(outcome=cannot_listen(asked, error))
        ready()
        begun()
        if asked.protocol == "tcp":
            try:
                connection, (_, port, *_) = once(receiver, select.POLLIN, patience(CONNECTING + LONGER)).accept()
            except OSError:  # TimeoutError, too: the sender says what kept it
                return Received()
            receiver = stack.enter_context(connection)
        receiving = stream_received if asked.protocol == "tcp" else datagrams_received
        with receiving(receiver, patience) as flow:
            intervals = measured(asked, flow, patience(0, *flow.processes))
            enough()
        arrived = flow.arrived()
    if port:
        wait_until_closed((asked.to,), port, patience)
    return Received(arrived, tuple(intervals))


def send(asked: Throughput, patience: PatienceFor, begun: Callable[[], object], until: Callable[[], object]) -> Sent:
    """Send to a receiver that listens, call `begun` then, and go on until `until` returns."""
    with opened(asked.from_, asked.protocol, asked.address.version) as sender:
        try:
            set_out(sender, asked.address, asked.port)
        except OSError as error:
            return Sent(outcome=refused_at_once(error))
        if asked.protocol == "tcp":
            try:
                until_connected(sender, patience(CONNECTING))
            except OSError as error:
                return Sent(outcome=no_connection(error))
        port = sender.getsockname()[1]
        with _sending(asked, sender) as (process, counted):
            begun()
            cpus, began = patience(0, process), time.monotonic()
            before = cpus.spent()
            until()
            seconds = time.monotonic() - began
            might = rates.hindered(seconds, rates.since(before, cpus.spent()))
        sent = counted()
    if asked.protocol == "tcp":
        wait_until_closed((asked.from_,), port, patience)
    if sent is not None:  # what was not sent cannot arrive
        might = max(might, offered(asked) / 8 * seconds / max(sent, 1))
    return Sent(sent, might)


@contextmanager
def _sending(asked: Throughput, sender: socket.socket) -> Iterator[tuple[int, Callable[[], int | None]]]:
    """Yield the PID of a process that sends, and what tells the bytes that it has sent."""
    if asked.protocol == "tcp":
        with stream_sent(sender) as process:
            yield process, lambda: None
    else:
        with datagrams_sent(sender, offered(asked)) as sending:
            yield sending


def met(asked: Throughput, received: Received, sent: Sent) -> Outcome:
    """Return the outcome of both halves."""
    if (outcome := received.outcome or sent.outcome) is not None:
        return outcome
    intervals = [replace(each, might=max(each.might, sent.might)) for each in received.intervals]
    return concluded(asked, intervals, received.arrived, sent.offered)
