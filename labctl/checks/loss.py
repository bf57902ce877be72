"""Where packets were lost, and what the kernel itself says of that place.

The counters show between which two points of a row packets went missing. A reason is added where one was measured: the
drops that an engine counted, an engine that has ended, an interface that is down or that no program reads, or the
kernel's own look-up of the route. Where the look-up agrees with the file, the route is not the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from labctl.checks.evidence import CountingPoint, Snapshot
from labctl.checks.results import Evidence
from labctl.engine.counters import DROPS_IN, DROPS_OUT, words_for
from labctl.errors import kernel_words
from labctl.kernel.lookup import Way
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Check
from labctl.topology.values import Host, parse_host

_OUT = ("tx_packets", "tun_read_packets", "udp_sent_packets")


@dataclass(frozen=True)
class Loss:
    """The point that has not counted what it had to, and the one before it; `last` is None where it is the first."""

    missing: CountingPoint
    last: CountingPoint | None
    drops: tuple[str, ...]  # what the engines there say: what was dropped meanwhile, and errors that came back
    back: bool = False


class Kernel(Protocol):
    """What is asked about a place where packets are missing."""

    def way(self, namespace: str, to: Host, source: Host | None = None) -> Way:
        """Return the way of a packet that the namespace sends. Raise OSError where the kernel has none."""

    def resolved(self, ref: InterfaceRef, neighbour: str) -> bool:
        """Return whether nothing waits at an interface for the link-layer address of a neighbour."""

    def ailment(self, ref: InterfaceRef) -> str:
        """Return what keeps an interface or its engine from carrying packets, in words; empty where nothing does."""


def loss(
    points: Sequence[CountingPoint], evidence: Sequence[Evidence], before: Snapshot, after: Snapshot, back: bool = False
) -> Loss | None:
    """Return where on a row packets are missing; None if nowhere."""
    for position, (point, found) in enumerate(zip(points, evidence, strict=True)):
        if not found.holds and not found.observed >= evidence[0].observed > 0:
            last = points[position - 1] if position else None
            drops = _drops(point, DROPS_OUT if point.counter in _OUT else DROPS_IN, before, after)
            answers = _drops(last, ("icmp_errors",), before, after) if last else ()
            return Loss(point, last, drops + answers, back)
    return None


def _drops(point: CountingPoint, names: Sequence[str], before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    if point.ref not in after.engines:
        return ()
    counts = {name: CountingPoint(point.ref, name, "", True).count(before, after) for name in names}
    return tuple(words_for(name, count) for name, count in counts.items() if count > 0)


def describe(found: Loss, check: Check, kernel: Kernel) -> str:
    """Return where packets were last counted, in words, with what is known of the place where they are missing."""
    ailment = kernel.ailment(found.missing.ref)
    known = "; ".join((*found.drops, *([ailment] if ailment else [])))
    reasons = f" ({known})" if known else ""
    there = "on the way back " if found.back else ""
    if found.last is not None:
        return f"{there}last seen at {found.last}, not counted at {found.missing}{reasons}"
    return f"{there}no packet was counted at {found.missing}{_routed(found, check, kernel)}{reasons}"


def _routed(found: Loss, check: Check, kernel: Kernel) -> str:
    """Return what the sender's kernel says of the way to the first place; empty where that is not the sender's own."""
    sender, target = _ends(check)
    if not found.back:
        return _compared(found.missing.ref, sender, target, None, kernel)
    answering = check.crosses[-1].namespace
    try:
        source, has_target = kernel.way(sender, target).source, kernel.way(answering, target).local
    except OSError:
        return ""
    if source is None or not has_target:
        return ""
    return _compared(found.missing.ref, answering, parse_host(source), target, kernel)


def held_back(check: Check, kernel: Kernel) -> str:
    """Return what kept the packets of a probe from leaving by the first interface of their way; empty if they left.

    The counters do not show it: ARP and neighbour discovery are counted there, too.
    """
    sender, target = _ends(check)
    first = check.crosses[0]
    if first.namespace != sender:
        return ""
    try:
        way = kernel.way(sender, target)
    except OSError:
        return ""
    next_hop = way.via or str(target)
    if way.local or way.interface != first.interface or kernel.resolved(first, next_hop):
        return ""
    return f"no packet has left {first}: {next_hop} has not told its MAC address"


def _ends(check: Check) -> tuple[str, Host]:
    """Return the namespace that sends, and the address that it sends to."""
    if check.ping is not None:
        return check.ping.from_, check.ping.to
    assert check.nc is not None, "the rules of the file demand one of the two"
    return check.nc.from_, check.nc.address


def _compared(place: InterfaceRef, sender: str, to: Host, source: Host | None, kernel: Kernel) -> str:
    if place.namespace != sender:
        return ""
    try:
        way = kernel.way(sender, to, source)
    except OSError as error:
        return f": it was not routed there, {sender} has no way to {to}: {kernel_words(error)}"
    if way.local:
        return f": it was not routed there, {to} is an address of {sender} itself"
    if way.interface != place.interface:
        return f": it was not routed there, {sender} sends to {to} {way}"
    return f", though {sender} sends to {to} {way}"
