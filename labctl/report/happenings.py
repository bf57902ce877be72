"""What happens in a lab, a line each: for a person, or as documented JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime

from labctl.live.events import Event
from labctl.report.style import shown

Line = Callable[[str, float, Event], str]
"""Return the line of an event of a lab, which happened at a time in seconds since the epoch."""

KINDS = 10
"""Columns for the kind of an event."""


def clock(at: float) -> str:
    """Return a time of day in local time, to the millisecond."""
    return datetime.fromtimestamp(at).strftime("%H:%M:%S.%f")[:-3]


def text(lab: str, at: float, event: Event) -> str:
    """Return a line for a person, with the local time to the millisecond."""
    subject = f"{lab} {event.words}" if event.kind == "lab" else event.words
    return shown(f"{clock(at)}  {event.kind.ljust(KINDS)}  {subject}")


def as_json(lab: str, at: float, event: Event) -> str:
    """Return a JSON object on one line, with the time in UTC (RFC 3339)."""
    told = asdict(event)
    change = told.pop("change")
    return json.dumps(
        {"time": _utc(at), "lab": lab, "event": event.kind, "change": change, **told, "words": event.words},
        ensure_ascii=False,
    )


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def line_in(form: str) -> Line:
    """Return how an event is written in a form, `table` or `json`."""
    return as_json if form == "json" else text
