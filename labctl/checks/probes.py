"""ping and nc in Python: the same on every machine, whatever is installed there.

A socket belongs to the namespace in which it was opened, for as long as it lives. So a probe only opens its sockets
inside; sending, receiving and comparing is done from where we are.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from labctl.checks.nc import nc
from labctl.checks.outcome import Outcome
from labctl.checks.refusal import refused_at_once
from labctl.checks.typed import nc_openbsd, ping_iputils
from labctl.errors import kernel_words
from labctl.kernel import namespaces
from labctl.topology.model import Nc, Ping

if TYPE_CHECKING:
    from icmplib.sockets import ICMPSocket


class Probes:
    """The built-in ping and nc."""

    def ping(self, ping: Ping) -> Outcome:
        """ICMP echo (RFC 792, RFC 4443): every request is sent at its time, replies are gathered until the time-out."""
        from icmplib import ICMPv4Socket, ICMPv6Socket
        from icmplib.exceptions import ICMPLibError
        from icmplib.models import ICMPRequest
        from icmplib.utils import unique_identifier

        with namespaces.inside(ping.from_):
            connection = (ICMPv4Socket if ping.to.version == 4 else ICMPv6Socket)()
        sent = 0
        replies: dict[int, float] = {}
        identifier = unique_identifier()
        with connection:
            try:
                for sequence in range(ping.count):
                    if sequence:
                        _gather(connection, identifier, ping, replies, ping.interval)
                    connection.send(ICMPRequest(str(ping.to), identifier, sequence, payload_size=ping.size))
                    sent += 1
            except ICMPLibError as error:
                return _cut_off(sent, error)
            _gather(connection, identifier, ping, replies, ping.timeout, until_all=True)
        if not replies:
            return Outcome("silent", f"{sent} sent, no reply")
        return Outcome("answered" if len(replies) == ping.count else "differs", f"{sent} sent, {len(replies)} replies")

    def nc(self, asked: Nc) -> Outcome:
        return nc(asked)

    def ping_command(self, ping: Ping) -> str:
        return ping_iputils(ping)

    def nc_command(self, nc: Nc) -> str:
        return nc_openbsd(nc)


def _cut_off(sent: int, error: Exception) -> Outcome:
    """The outcome where a request could not be sent; icmplib tells the kernel's refusal in words of its own."""
    refusal = error.__context__
    if not isinstance(refusal, OSError):
        return Outcome("unasked", f"request {sent + 1} could not be sent: {error}")
    if sent:
        return Outcome("unasked", f"request {sent + 1} could not be sent: {kernel_words(refusal)}")
    return refused_at_once(refusal)


def _gather(
    connection: ICMPSocket,
    identifier: int,
    ping: Ping,
    replies: dict[int, float],
    seconds: float,
    until_all: bool = False,
) -> None:
    """Take in replies for a while; an echo request of our own that comes by over lo is none."""
    from icmplib.exceptions import TimeoutExceeded

    echo_reply = 0 if ping.to.version == 4 else 129
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and not (until_all and len(replies) == ping.count):
        try:
            reply = connection.receive(timeout=left)
        except TimeoutExceeded:
            return
        if (reply.type, reply.id) == (echo_reply, identifier) and reply.source == str(ping.to):
            replies[reply.sequence] = reply.time
