"""Why packets of a traced command were lost: what is like them is sent once more, and explained as a failed check is.

So a cause is told only where the same is lost again. Datagrams of UDP are not sent once more: a program may take them
for its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from labctl.checks.results import Result
from labctl.diagnosis.grouping import by_cause
from labctl.diagnosis.path import Paths
from labctl.diagnosis.verdict import Verdict
from labctl.plan.desired import Desired, desired
from labctl.topology.model import Check, Topology
from labctl.topology.one_host import not_of_one_host
from labctl.topology.values import parse_host
from labctl.trace.dissect import Arp, Icmp, Packet, Tcp
from labctl.trace.ladder import Hop, Ladder

MOST = 3
"""Packets that are sent once more, each to another destination."""

TIMEOUT = 0.5
"""Seconds that are waited for an answer."""


Explained = Callable[[Desired, Sequence[Check]], Iterable[tuple[Result, Sequence[Verdict]]]]
"""Runs checks, and returns the result of each with why it has failed."""


def causes(
    topology: Topology | None, namespace: str, ladders: Iterable[Ladder], explained: Explained
) -> tuple[Verdict, ...]:
    """Return why packets that a namespace sent were lost, each cause with the packets that it took."""
    lost = [ladder for ladder in ladders if ladder.end in (Hop.LOST, Hop.DROPPED) and _is_own(ladder, namespace)]
    if topology is None or not lost:
        return ()
    paths = Paths(topology)
    probes: dict[tuple[object, ...], dict[str, Any]] = {}
    for ladder in lost:
        to = ladder.journey.packet
        if to and not_of_one_host(topology, parse_host(to.destination)):
            continue
        for key, probe in _like(ladder, namespace, paths):
            probes.setdefault(key, {"name": f"packet-{ladder.number}", **probe})
    checks = [*islice(_checks(probes.values()), MOST)]
    found = explained(desired(topology), checks)
    return by_cause((result.name.replace("-", " "), causes) for result, causes in found if result.asked)


def _checks(probes: Iterable[dict[str, Any]]) -> Iterator[Check]:
    for probe in probes:
        with suppress(ValueError):  # no check can ask for it, as for port 0
            yield Check.read(probe)


def _is_own(ladder: Ladder, namespace: str) -> bool:
    station = ladder.journey.first.station
    return station.namespace == namespace and station.outgoing and ladder.answer_to is None


def _like(ladder: Ladder, sender: str, paths: Paths) -> Iterator[tuple[tuple[object, ...], dict[str, Any]]]:
    """Yield a probe like a packet, and what it has in common with others of which one is enough."""
    content = ladder.journey.packet or ladder.journey.first.frame.content
    if isinstance(content, Arp) and content.is_request:
        yield ("ping", content.target), {"ping": _ping(sender, content.target)}
    elif isinstance(content, Packet) and isinstance(content.transport, Icmp):
        if content.transport.is_echo_request and not content.is_fragment:
            size = content.payload_length
            yield ("ping", content.destination), {"ping": {**_ping(sender, content.destination), "size": size}}
    elif isinstance(content, Packet) and isinstance(content.transport, Tcp):
        port, to = content.transport.ports[1], parse_host(content.destination)
        for owner in sorted(paths.owners(sender, to))[:1]:
            nc = {"from": sender, "to": owner, "address": str(to), "port": port, "server": False, "timeout": TIMEOUT}
            yield ("tcp", content.destination, port), {"nc": nc}


def _ping(sender: str, to: str) -> dict[str, Any]:
    return {"from": sender, "to": to, "count": 1, "timeout": TIMEOUT}
