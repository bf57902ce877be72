"""throughput: as much data as will go through, from our sender to our receiver, and how much of it came.

It is measured where data arrives, in intervals of a twentieth of `seconds`, though never so short that the sender's
clock, the round trip or the turns of the scheduler show in each of them. `rates` says what follows from them. Where
that does not decide, the measurement goes on, up to LONGEST times as long.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from labctl.checks import rates
from labctl.checks.bounds import HOW_SURE, Answer, compared, in_words, per_second, percent, told
from labctl.checks.command_lines import DATAGRAM, iperf3_typed, offered
from labctl.checks.flow import Flow, datagrams, stream
from labctl.checks.kinds.kind import AtLeast, Counts, Each, Target
from labctl.checks.listening import holding, listen
from labctl.checks.patient_socket import once, opened, set_out, until_connected
from labctl.checks.rates import Interval
from labctl.checks.refusal import refused_at_once
from labctl.checks.results import Carried, Outcome, State
from labctl.checks.tcp_close import wait_until_closed
from labctl.errors import kernel_words
from labctl.frozen import frozen
from labctl.process.patience import Patience, PatienceFor
from labctl.topology.model import Nc, Throughput

CONNECTING = 3.0
"""Seconds until a connection counts as impossible."""

PARTS, SHORTEST = 20, 0.05
LONGEST = 4
_BUSY = 1.2
_SEGMENT = 1 << 16  # bytes: what one packet carries at most before it is cut (GSO)

_FULL = 1500
"""Bytes of which the first segment is as large as an MTU of the way allows, for the usual ones."""


class ThroughputKind:
    """Data from one namespace to another, as fast as it goes."""

    def __init__(self, asked: Throughput) -> None:
        self.asked = asked

    def ask(self, patience: PatienceFor) -> Outcome:
        """Measure it with a sender and a receiver of our own."""
        return throughput(self.asked, patience)

    def typed(self) -> str:
        """Return the command lines of iperf3(1)."""
        return iperf3_typed(self.asked)

    def expectation(self, wanted: State) -> str:
        """Return the bounds."""
        asked = self.asked
        return f"{asked.protocol.upper()} to {asked.address}: {in_words(asked.at_least, asked.at_most)}"

    def counts(self, wanted: State, leaving: int, arriving: int) -> Counts:
        """Return that each datagram is a packet; TCP sends what it likes, and some of it again."""
        return Counts(Each(1), AtLeast(1 if self.asked.protocol == "tcp" else 0))

    def target(self) -> Target:
        """Return the address and the port of the receiver."""
        asked = self.asked
        return Target(
            *(asked.from_, asked.address, asked.protocol, asked.port, DATAGRAM, asked.to),
            replied=asked.protocol == "tcp",
            own_server=True,
            measured=("throughput",),
        )

    def briefly(self, seconds: float, times: int) -> Nc:
        """Return whether a packet goes through at all that is as large as those of a flow, which loads no lab."""
        asked = self.asked
        return Nc(
            from_=asked.from_,
            to=asked.to,
            address=asked.address,
            port=asked.port,
            protocol=asked.protocol,
            send="x" * (_FULL if asked.protocol == "tcp" else DATAGRAM),
            timeout=min(max(seconds, 0.01), 60.0),
        )


def throughput(asked: Throughput, patience: PatienceFor) -> Outcome:
    """Measure the rate of a flow, and compare it with its bounds."""
    with ExitStack() as stack:
        receiver = stack.enter_context(opened(asked.to, asked.protocol, asked.address.version))
        try:
            listen(receiver, asked.protocol, asked.address, asked.port)
        except OSError as error:
            return cannot_listen(asked, error)
        sender = stack.enter_context(opened(asked.from_, asked.protocol, asked.address.version))
        try:
            set_out(sender, asked.address, asked.port)
        except OSError as error:
            return refused_at_once(error)
        if asked.protocol == "tcp":
            try:
                receiver = stack.enter_context(_accepted(sender, receiver, patience(CONNECTING)))
            except OSError as error:
                return no_connection(error)
        port = sender.getsockname()[1]
        with _flow(asked, sender, receiver, patience) as flow:
            intervals = measured(asked, flow, patience(0, *flow.processes))
        outcome = concluded(asked, intervals, flow.arrived(), flow.offered())
    if asked.protocol == "tcp":
        wait_until_closed((asked.from_, asked.to), port, patience)
    return outcome


def cannot_listen(asked: Throughput, error: OSError) -> Outcome:
    """Return why the receiver has not listened."""
    taken = holding(asked.to, asked.protocol, asked.address, asked.port)
    return Outcome("unasked", f"{asked.to} cannot listen: {kernel_words(error)}{taken}")


def no_connection(error: OSError) -> Outcome:
    """Return why there is no connection."""
    why = f"timed out after {CONNECTING:g} s" if isinstance(error, TimeoutError) else kernel_words(error)
    return Outcome("silent", f"no connection: {why}")


def _accepted(sender: socket.socket, listener: socket.socket, waiting: Patience) -> socket.socket:
    """Return the receiver's end of a connection. Raise OSError, or TimeoutError where there is none."""
    until_connected(sender, waiting)
    return once(listener, select.POLLIN, waiting).accept()[0]


def _flow(
    asked: Throughput, sender: socket.socket, receiver: socket.socket, patience: PatienceFor
) -> AbstractContextManager[Flow]:
    if asked.protocol == "tcp":
        return stream(sender, receiver, patience)
    return datagrams(sender, receiver, offered(asked), patience)


def measured(asked: Throughput, flow: Flow, cpus: Patience) -> list[Interval]:
    """Return the intervals of a flow from when it is at its rate, until its bounds are decided or time is over."""
    length = max(asked.seconds / PARTS, SHORTEST, flow.rtt)
    least, most = round(asked.seconds / length), max(round(LONGEST * asked.seconds / length), LONGEST * PARTS)
    watched, found = _Watched(asked, flow, cpus), list[Interval]()
    while len(counted := from_its_rate(found)) < most:
        if len(counted) >= least and compared(rates.median(counted), asked.bounds) != "open":
            break
        found.append(watched.next(length))
    return counted


@frozen
class _Look:
    """What there was of a flow at a moment, in bytes, and of the CPUs that its processes have had."""

    at: float
    arrived: int
    offered: int | None
    dropped: int
    spent: Mapping[Path, tuple[float, float]]


class _Watched:
    """A flow, looked at from time to time."""

    def __init__(self, asked: Throughput, flow: Flow, cpus: Patience) -> None:
        self._rate, self._flow, self._cpus = offered(asked) / 8, flow, cpus
        self._last = self._look()

    def _look(self) -> _Look:
        flow = self._flow
        return _Look(time.monotonic(), flow.arrived(), flow.offered(), flow.dropped(), self._cpus.spent())

    def next(self, length: float) -> Interval:
        """Return what comes in the next so many seconds, or somewhat more."""
        before = self._last
        time.sleep(max(0.0, before.at + length - time.monotonic()))
        self._last = now = self._look()
        seconds, received = now.at - before.at, now.arrived - before.arrived
        might = rates.hindered(seconds, rates.since(before.spent, now.spent))
        if now.offered is not None and before.offered is not None:  # what was not sent cannot arrive
            might = max(might, self._rate * seconds / max(now.offered - before.offered, 1))
        if received and now.dropped > before.dropped:  # it has arrived, and the receiver was late
            might = max(might, (received + now.dropped - before.dropped) / received)
        return Interval(seconds, received, might)


def from_its_rate(intervals: list[Interval]) -> list[Interval]:
    """Return the intervals of a flow from when it is at its rate."""
    for number in range(min(len(intervals), PARTS)):
        if rates.at_its_rate(intervals[:number]):
            return intervals[number:]
    return intervals[PARTS:]


def concluded(asked: Throughput, intervals: list[Interval], arrived: int, sent: int | None) -> Outcome:
    """Return how a measurement ended in which so many bytes came in all, of those that were sent where that is known.

    All of them have crossed, those before and after the intervals, too.
    """
    least = arrived // DATAGRAM if asked.protocol == "udp" else -(-arrived // _SEGMENT)
    carried = Carried(least, None if sent is None else sent // DATAGRAM)
    if not arrived:
        return Outcome("silent", "nothing arrived", carried)
    found = rates.median(intervals)
    mean, seconds = rates.total(intervals)
    words = f"{told(per_second(mean), found, per_second)} in {seconds:.1f} s{_lost(arrived, sent)}; {HOW_SURE}"
    states: dict[Answer, State] = {"holds": "answered", "fails": "differs", "open": "undecided"}
    state = states[compared(found, asked.bounds)]
    why = ", the machine was too busy" if any(each.might > _BUSY for each in intervals) else ""
    return Outcome(state, f"not decided{why}: {words}" if state == "undecided" else words, carried)


def _lost(arrived: int, sent: int | None) -> str:
    return f", {percent(max(0.0, 1 - arrived / sent))} lost" if sent else ""
