"""Who counts what was asked for: packets that cross an interface, and commands that a person has run.

Both are kept for as long as this process looks: what has happened once has happened.
"""

from __future__ import annotations

import re
import select
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

from labctl.errors import LabError
from labctl.kernel.packet_taps import PacketTaps
from labctl.lab.carriers import Carriers
from labctl.lab.command_record import CommandRecord
from labctl.lab.live import record
from labctl.lab.state import State
from labctl.live.readings import Matched
from labctl.process.line import Line
from labctl.trace.dissect import Packet, frame
from labctl.trace.pattern import PacketPattern

LOOK = 0.2
"""Seconds between two looks."""

MEMORY = 1 << 20
"""Bytes of packets that a tap keeps from look to look."""


def match_packets(lab: str, line: Line, wanted: Mapping[str, PacketPattern]) -> None:
    """Send how many packets of each pattern have crossed, by its name, whenever it is more. Raise Hangup."""
    state, counted = State(lab), Counter(dict.fromkeys(wanted, 0))
    while True:
        with suppress(LabError, OSError):  # a namespace has just gone
            _match_as_recorded(state, line, wanted, counted)
        _pause(line)


def _match_as_recorded(state: State, line: Line, wanted: Mapping[str, PacketPattern], counted: Counter[str]) -> None:
    """Count packets until the record of the lab is another one."""
    found = record.stamp(state)
    if found == record.NONE:
        return
    ports = Carriers.of(state.read()).tunnel_ports
    with PacketTaps(interfaces={pattern.at for pattern in wanted.values()}, memory=MEMORY) as taps:
        line.send([(time.time(), Matched(dict(counted)))])  # from now on packets are seen
        while record.stamp(state) == found:
            before = counted.total()
            for seen in taps.crossed():
                content = frame(seen.frame, seen.ethernet, ports).content
                if isinstance(content, Packet) and not (seen.interface == "lo" and not seen.outgoing):
                    counted.update(name for name, pattern in wanted.items() if pattern.fits(seen.ref, content))
            if counted.total() > before:
                line.send([(time.time(), Matched(dict(counted)))])
            _pause(line)


def match_commands(lab: str, line: Line, wanted: Mapping[str, tuple[str, str]]) -> None:
    """Send how many commands fit each pattern, a namespace and a regular expression. Raise Hangup."""
    commands = CommandRecord(State(lab).directory)
    patterns = {name: (namespace, re.compile(pattern)) for name, (namespace, pattern) in wanted.items()}
    sent: dict[str, int] | None = None
    while True:
        counted = {
            name: sum(bool(pattern.search(typed)) for typed in commands.of(namespace))
            for name, (namespace, pattern) in patterns.items()
        }
        if counted != sent:
            sent = counted
            line.send([(time.time(), Matched(counted))])
        _pause(line)


def _pause(line: Line) -> None:
    if select.select([line], [], [], LOOK)[0]:
        line.received()
