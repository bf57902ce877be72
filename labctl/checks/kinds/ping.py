"""ping: echo requests, each sent at its time, and which of them were answered.

A reply counts by when the kernel saw it, not by when this process reads it; so nothing that waits in the socket when
the time is over is lost, however late it is read.
"""

from __future__ import annotations

import random
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import ip_address

from labctl.checks import echoes, icmp
from labctl.checks.command_lines import ping_typed
from labctl.checks.echoes import Echoes
from labctl.checks.kinds.kind import Counts, Each, Target
from labctl.checks.refusal import refused_at_once
from labctl.checks.results import Outcome, State
from labctl.errors import kernel_words
from labctl.frozen import frozen
from labctl.kernel import namespaces, timestamps
from labctl.kernel.packet_taps import attach
from labctl.kernel.sockets import receive_drops
from labctl.plan.mtu import packets
from labctl.process.patience import PatienceFor
from labctl.topology.model import Ping

SOL_RAW, ICMP_FILTER = 255, 1  # linux/socket.h, linux/icmp.h
ICMPV6_FILTER = 1  # linux/icmpv6.h
LARGEST = 1 << 16


BRIEF = 0.01
"""Seconds between two requests at most, where it is asked briefly."""


class PingKind:
    """Echo requests, and the reply to each."""

    def __init__(self, asked: Ping) -> None:
        self.asked = asked

    def ask(self, patience: PatienceFor) -> Outcome:
        """Send echo requests from a raw socket."""
        return ping(self.asked, patience)

    def typed(self) -> str:
        """Return the command line of the ping of iputils."""
        return ping_typed(self.asked)

    def expectation(self, wanted: State) -> str:
        """Return how many requests are sent, and what has to come of them."""
        answer = {"silent": "no reply", "not-sent": "not sent"}.get(wanted) or echoes.expectation(self.asked)
        up_to = "up to " if self.asked.bounded else ""
        return f"{up_to}{self.asked.count} echo requests to {self.asked.to}: {answer}"

    def counts(self, wanted: State, leaving: int, arriving: int) -> Counts:
        """Return the fragments of all requests, and of all replies."""
        asked = self.asked
        there, back = (packets(asked.size, mtu, asked.to.version) for mtu in (leaving, arriving))
        if asked.bounded:
            return Counts(Each(there), Each(back))
        return Counts(asked.count * there, 0 if wanted == "silent" else asked.count * back)

    def target(self) -> Target:
        """Return the address that is pinged. The kernel of whoever has it answers."""
        asked = self.asked
        protocol = "icmp" if asked.to.version == 4 else "ipv6-icmp"
        measured = tuple(name for name, bounds in (("loss", asked.loss), ("rtt", asked.rtt)) if bounds is not None)
        return Target(asked.from_, asked.to, protocol, size=asked.size, own_server=True, measured=measured)

    def briefly(self, seconds: float, times: int) -> Ping:
        """Return a ping with fewer requests, one right after the other."""
        asked = self.asked
        return asked.replace(
            count=min(asked.count, times),
            interval=min(asked.interval, BRIEF),
            timeout=min(asked.timeout, seconds),
            loss=None,
            rtt=None,
        )


@frozen
class _Sent:
    """Between which nanoseconds since the epoch a request was sent, and for how long processes had waited for a CPU."""

    before: int
    after: int
    waited: float

    def round_trip(self, seen: int | None, waited: float) -> tuple[float, float]:
        """Return the least and the most seconds that it took to the reply, which the kernel has `seen`."""
        if seen is None:
            return 0.0, (time.time_ns() - self.before) / 1e9
        least, most = (seen - self.after) / 1e9, (seen - self.before) / 1e9
        return max(least - (waited - self.waited), 0.0), max(most, 0.0)


def ping(asked: Ping, patience: PatienceFor, identifier: int | None = None) -> Outcome:
    """Send echo requests, and gather the replies until the time-out after the last of them; more, if that decides.

    By their identifier they are known on the way; it is drawn where none is given.
    """
    identifier = random.getrandbits(16) if identifier is None else identifier
    payload, seen = (icmp.MARK + random.randbytes(asked.size))[: asked.size], Echoes()
    waited = _waited(patience) if asked.rtt else float
    with _opened(asked, identifier) as connection:
        ready = select.poll()
        ready.register(connection, select.POLLIN)
        for numbers in echoes.batches(asked):
            missing: dict[icmp.Echo, _Sent] = {}
            for number in numbers:
                due = time.monotonic() + (asked.interval if number else 0)
                while (left := due - time.monotonic()) > 0:
                    ready.poll(left * 1000)
                    _gather(_replies(connection, asked), missing, seen, waited)
                echo = icmp.Echo(identifier, number, payload)
                request, waited_before, before = icmp.request(asked.to.version, echo), waited(), time.time_ns()
                try:
                    connection.sendto(request, (str(asked.to), 0))
                except OSError as error:
                    if number:
                        return Outcome("unasked", f"request {number + 1} could not be sent: {kernel_words(error)}")
                    return refused_at_once(error)
                missing[echo] = _Sent(before, time.time_ns(), waited_before)
                seen.sent += 1
            waiting = patience(asked.timeout)
            while missing and waiting.wait(ready):
                in_time = ((echo, at) for echo, at in _replies(connection, asked) if _before(at, waiting.end()))
                _gather(in_time, missing, seen, waited)
            if echoes.answer(asked, seen) != "open":
                break
        if missing and (lost := receive_drops(connection)):
            return Outcome("undecided", f"{lost} replies did not fit into the socket, and one may have been the answer")
    return echoes.outcome(asked, seen)


def _waited(patience: PatienceFor) -> Callable[[], float]:
    """Return what tells for how many seconds those that carry packets have waited for a CPU so far."""
    carriers = patience(0)
    return lambda: sum(waited for _, waited in carriers.spent().values())


def _gather(
    replies: Iterator[tuple[icmp.Echo, int | None]],
    missing: dict[icmp.Echo, _Sent],
    seen: Echoes,
    waited: Callable[[], float],
) -> None:
    """Take the requests that were answered out of those that are missing, each with its round-trip time."""
    for echo, at in replies:
        if sent := missing.pop(echo, None):
            seen.times.append(sent.round_trip(at, waited()))


def _opened(asked: Ping, identifier: int) -> socket.socket:
    """Return a raw socket that receives nothing but its own echo replies, with memory for all of them if it may."""
    with namespaces.inside(asked.from_):
        if asked.to.version == 4:
            connection = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        else:
            connection = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    hidden = ~(1 << icmp.REPLY[asked.to.version])  # a bit for each type that is not shown
    if asked.to.version == 4:
        connection.setsockopt(SOL_RAW, ICMP_FILTER, struct.pack("=I", hidden & 0xFFFFFFFF))
    else:
        words = (hidden >> shift & 0xFFFFFFFF for shift in range(0, 256, 32))
        connection.setsockopt(socket.IPPROTO_ICMPV6, ICMPV6_FILTER, struct.pack("=8I", *words))
    attach(connection, icmp.of_identifier(asked.to.version, identifier))
    with suppress(BlockingIOError):  # what came before: it would take the room of what is meant
        while True:
            connection.recv(LARGEST, socket.MSG_DONTWAIT)
    # A packet is counted with the memory around it that it leaves unused: up to four times its bytes.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, min(asked.count * (4096 + 4 * asked.size), 1 << 29))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)  # so that EACCES is a route's
    timestamps.ask_for_stamps(connection)
    return connection


def _replies(connection: socket.socket, asked: Ping) -> Iterator[tuple[icmp.Echo, int | None]]:
    """Yield the echo replies of the address that wait in the socket, and when the kernel saw each, as time.time_ns.

    The kernel begins to stamp a moment after it is asked to. When it saw a packet from before is not known.
    """
    while True:
        now = time.time_ns()
        try:
            shown, ancillary, _, sender = connection.recvmsg(LARGEST, timestamps.SPACE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        echo = icmp.reply(asked.to.version, shown)
        if echo and ip_address(sender[0]) == asked.to:
            stamp = timestamps.stamp(ancillary)
            yield echo, stamp if stamp < now else None  # a later one is of the moment when it is read


def _before(at: int | None, end: float) -> bool:
    """Return whether the kernel saw a packet before a moment of time.monotonic, as far as that is known."""
    return at is None or time.monotonic() - (time.time_ns() - at) / 1e9 <= end
