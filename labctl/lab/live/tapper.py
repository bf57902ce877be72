"""Who looks at the packets of a lab: a few of them, now and then.

The taps keep little, so what crosses while they are full costs the kernel a look at a number. Of what they kept the
newest are sent, and how many more there were.
"""

from __future__ import annotations

import time
from contextlib import suppress

from labctl.errors import LabError
from labctl.kernel.packet_taps import PacketTaps, Seen
from labctl.lab.live import record
from labctl.lab.state import State
from labctl.live.readings import Packet, Packets
from labctl.process.line import Line

LOOK = 0.5
"""Seconds between two samples."""

MOST = 20
"""Packets of a sample, where nothing else is asked for."""

MEMORY = 1 << 16
"""Bytes that the tap of a namespace keeps from look to look; the kernel counts a packet with what is around it."""

KEPT = 2048
"""Bytes of a packet that are sent on: of a superframe the rest is only payload."""


def tap(lab: str, line: Line, most: int = MOST) -> None:
    """Send packets that cross a lab, while it is there: at most so many each time. Raise Hangup."""
    state = State(lab)
    while True:
        with suppress(LabError, OSError):  # a namespace has just gone
            _tap_as_recorded(state, line, most)
        time.sleep(LOOK)


def _tap_as_recorded(state: State, line: Line, most: int) -> None:
    """Send packets until the record of the lab is another one."""
    found = record.stamp(state)
    if found == record.NONE:
        return
    with PacketTaps(state.read().namespaces, memory=MEMORY) as taps:
        missed = 0
        while record.stamp(state) == found:
            seen, before = taps.crossed(), missed
            missed = taps.missed()
            if seen:
                kept = tuple(map(_packet, seen[-most:]))
                line.send([(time.time(), Packets(kept, len(seen) - len(kept) + missed - before))])
            time.sleep(LOOK)


def _packet(seen: Seen) -> Packet:
    return Packet(seen.at / 1e9, seen.ref, seen.outgoing, seen.ethernet, seen.length, seen.frame[:KEPT])
