"""What the sender's own kernel answers at once: the call that should send fails, and no packet leaves.

The errno says which kind of route refuses (`fib_props` of net/ipv4/fib_semantics.c, `ip6_rt_init_dst` of
net/ipv6/route.c), and EPERM is what a firewall's drop on the way out comes back as (`nf_hook_slow`). Every other errno
says that the question could not be put at all: no memory, no free port, an address of the wrong kind.

An error that comes later (ECONNREFUSED, EHOSTUNREACH when ARP gets no answer, what ICMP says) is no refusal: packets
were sent, and that is what came of them. A program that is run for a check does not say which of both it was.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from labctl.checks.results import Outcome
from labctl.errors import kernel_words
from labctl.kernel.lookup import Way, way_to
from labctl.topology.values import Host

_MEANINGS = {
    errno.ENETUNREACH: "no route",
    errno.EHOSTUNREACH: "a route of type unreachable",
    errno.EACCES: "a route of type prohibit",
    errno.EINVAL: "a route of type blackhole",
    errno.EPERM: "a firewall on the way out",
}


COMES_LATER_TOO = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES)
"""What the kernel refuses a packet with at once, and what an ICMP error comes back as (icmp_err_convert[] of
net/ipv4/icmp.c, icmpv6_err_convert() of net/ipv6/icmp.c)."""


def has_way(namespace: str, to: Host) -> bool:
    """Return whether the kernel of a namespace knows where to send packets for an address."""
    return isinstance(way_to(namespace, to), Way)


class NotSent(Exception):
    """The kernel refuses the first packet at once."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.error = error


@contextmanager
def first_packet() -> Iterator[None]:
    """Turn an OSError of the body, which sends the first packet, into NotSent."""
    try:
        yield
    except OSError as error:
        raise NotSent(error) from error


def refused_at_once(error: OSError) -> Outcome:
    """Return the outcome of a first packet that the kernel did not take."""
    meaning = _MEANINGS.get(error.errno or 0)
    if meaning is None:
        return Outcome("unasked", f"nothing could be sent: {kernel_words(error)}")
    return Outcome("not-sent", f"not sent: {kernel_words(error)}, as with {meaning}")
