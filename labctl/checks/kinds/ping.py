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
from collections.abc import Iterator
from ipaddress import ip_address

from labctl.checks import icmp
from labctl.checks.command_lines import ping_typed
from labctl.checks.kinds.kind import Counts, Target
from labctl.checks.refusal import refused_at_once
from labctl.checks.results import Outcome, State
from labctl.errors import kernel_words
from labctl.kernel import namespaces, timestamps
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
        answer = {"silent": "no reply", "not-sent": "not sent"}.get(wanted, "every reply")
        return f"{self.asked.count} echo requests to {self.asked.to}: {answer}"

    def counts(self, wanted: State, leaving: int, arriving: int) -> Counts:
        """Return the fragments of all requests, and of all replies."""
        asked = self.asked
        there, back = (asked.count * packets(asked.size, mtu, asked.to.version) for mtu in (leaving, arriving))
        return Counts(there, 0 if wanted == "silent" else back)

    def target(self) -> Target:
        """Return the address that is pinged. The kernel of whoever has it answers."""
        asked = self.asked
        protocol = "icmp" if asked.to.version == 4 else "ipv6-icmp"
        return Target(asked.from_, asked.to, protocol, size=asked.size, own_server=True)

    def briefly(self, seconds: float, times: int) -> Ping:
        """Return a ping with fewer requests, one right after the other."""
        asked = self.asked
        return asked.model_copy(
            update={
                "count": min(asked.count, times),
                "interval": min(asked.interval, BRIEF),
                "timeout": min(asked.timeout, seconds),
            }
        )


def ping(asked: Ping, patience: PatienceFor) -> Outcome:
    """Send echo requests, and gather the replies until the time-out after the last of them."""
    identifier, payload = random.getrandbits(16), random.randbytes(asked.size)
    missing: set[icmp.Echo] = set()
    with _opened(asked) as connection:
        ready = select.poll()
        ready.register(connection, select.POLLIN)
        for number in range(asked.count):
            due = time.monotonic() + (asked.interval if number else 0)
            while (left := due - time.monotonic()) > 0:
                ready.poll(left * 1000)
                missing -= {echo for echo, _ in _replies(connection, asked)}
            echo = icmp.Echo(identifier, number, payload)
            try:
                connection.sendto(icmp.request(asked.to.version, echo), (str(asked.to), 0))
            except OSError as error:
                if number:
                    return Outcome("unasked", f"request {number + 1} could not be sent: {kernel_words(error)}")
                return refused_at_once(error)
            missing.add(echo)
        waiting = patience(asked.timeout)
        while missing and waiting.wait(ready):
            missing -= {echo for echo, seen in _replies(connection, asked) if seen <= waiting.end()}
    received = asked.count - len(missing)
    if not received:
        return Outcome("silent", f"{asked.count} sent, no reply")
    return Outcome(
        "differs" if missing else "answered", f"{asked.count} sent, {received} repl{'y' if received == 1 else 'ies'}"
    )


def _opened(asked: Ping) -> socket.socket:
    """Return a raw socket that receives nothing but echo replies, with as much memory for them as it may have."""
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
    # A packet is counted with the memory around it that it leaves unused: up to four times its bytes.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, min(asked.count * (4096 + 4 * asked.size), 1 << 29))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)  # so that EACCES is a route's
    timestamps.ask_for_stamps(connection)
    return connection


def _replies(connection: socket.socket, asked: Ping) -> Iterator[tuple[icmp.Echo, float]]:
    """Yield the echo replies of the address that wait in the socket, and when the kernel saw each (time.monotonic)."""
    while True:
        now = time.time_ns()
        try:
            shown, ancillary, _, sender = connection.recvmsg(LARGEST, timestamps.SPACE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        echo = icmp.reply(asked.to.version, shown)
        if echo and ip_address(sender[0]) == asked.to:
            # The kernel begins to stamp a moment after it is asked to; a packet from before is stamped when it is read.
            age = now - timestamps.stamp(ancillary)
            yield echo, time.monotonic() - age / 1e9 if age > 0 else 0.0
