"""Two faults at once, taken from the lists of single ones."""

from __future__ import annotations

from collections.abc import Iterable

from tests.diagnosis.fault import Fault, Pair

NAMES = (
    ("far engine killed", "no route into the tunnel"),
    ("near engine stopped", "no route back through the tunnel"),
    ("cable down at the other end", "cable down at the sender"),
    ("input drops echo requests", "wrong permanent neighbour"),
    ("output drops the tunnel", "far engine killed"),
    ("first router has no route", "second router has no route back"),
    ("router does not forward", "router drops the replies"),
    ("last cable down at the far site", "first router has no route"),
    ("port out of the bridge", "prefix too long at the receiver"),
    ("no ARP on an interface", "bridge drops what it forwards"),
    ("router does not forward IPv6", "echo ignored in IPv6"),
    ("address stays tentative", "unreachable in IPv6 at the router"),
    ("far TUN device down", "echo ignored"),
    ("wrong permanent neighbour at the last router", "far engine stopped behind routers"),
    ("bound to another port", "input drops the tunnel"),
)


def among(faults: Iterable[Fault]) -> tuple[Pair, ...]:
    """Return the pairs of these faults."""
    named = {fault.name: fault for fault in faults}
    return tuple(Pair(named[first], named[second]) for first, second in NAMES)
