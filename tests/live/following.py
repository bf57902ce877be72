"""A running lab as a test follows it: readings in, the state and what happened out."""

from __future__ import annotations

from labctl.live import readings as r
from labctl.live.advance import advance
from labctl.live.events import Event
from labctl.live.state import LabState


def run(state: LabState, *readings: r.Reading) -> tuple[LabState, list[str]]:
    """Return the state after some readings, a second apart, and what happened in words."""
    happened: list[Event] = []
    for reading in readings:
        state, new = advance(state, state.at + 1, reading)
        happened += new
    return state, [f"{event.kind}: {event.words}" for event in happened]
