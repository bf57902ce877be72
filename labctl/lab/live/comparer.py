"""Who compares a lab with its file, again and again: drift, and the impairments of cables.

To look at everything takes a hundred times as long as to read counters, so it is done when something has changed, and
else seldom. While another labctl changes the lab, the difference is that one's work, and no drift.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from contextlib import suppress

from labctl.errors import LabError
from labctl.lab.challenge import challenge_in
from labctl.lab.lock import at_work
from labctl.lab.observed import facts
from labctl.lab.state import State
from labctl.live import readings
from labctl.live.readings import Reading, Stamped
from labctl.plan.desired import desired
from labctl.plan.facts import Facts
from labctl.plan.plan import between
from labctl.process.line import Line
from labctl.topology.interface_ref import InterfaceRef

SETTLE = 0.2
"""Seconds after a change in which further ones are waited for."""

SELDOM = 5.0
"""Seconds between two looks where nothing has changed: of some changes the kernel tells nothing."""

SHARE = 100
"""Without a change looking takes at most one part in so many of the time."""


def compare(lab: str, line: Line) -> None:
    """Send how a lab differs from its file, whenever something has changed or it was long ago. Raise Hangup."""
    state = State(lab)
    while True:
        began = time.monotonic()
        found: list[Stamped] = [(time.time(), reading) for reading in _readings(state)]
        if found:
            line.send(found)
        took = time.monotonic() - began
        pause = SETTLE if at_work(state) else max(SELDOM, SHARE * took)
        if select.select([line], [], [], pause)[0]:
            line.received()
            time.sleep(SETTLE)


def _readings(state: State) -> Iterator[Reading]:
    with suppress(LabError):  # it ends amidst, or its record is damaged: `status` says so
        topology = state.topology()
        if topology is None or at_work(state):
            return
        wanted, recorded = desired(topology), state.read()
        found = facts(state, recorded, wanted)
        hidden = challenge_in(state)
        drift = tuple(
            readings.Difference(change.step.subject, change.step.words, change.reason, change.command)
            for change in (() if hidden else between(wanted, found).changes)
        )
        if at_work(state) or not state.begun():
            return
        yield readings.Compared(drift, hidden.began if hidden else 0.0)
        yield from _cables(found)


def _cables(found: Facts) -> Iterator[Reading]:
    for name, space in found.namespaces.items():
        for interface, link in space.links.items():
            if link.kind in ("veth", "tap"):  # a cable to another host is a TAP
                in_force = {"out": str(link.netem)} if link.netem else {}
                yield readings.Impaired(InterfaceRef(name, interface), in_force)
