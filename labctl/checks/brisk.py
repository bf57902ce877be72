"""A check that is asked in a hurry: whether it holds at all, before it is asked as it is written."""

from __future__ import annotations

from labctl.checks.kinds import kind_of
from labctl.checks.results import WANTED
from labctl.topology.model import Check


def brisk(check: Check, seconds: float) -> Check:
    """Return a check that asks once, and waits for an answer no longer than so many seconds.

    Where there is to be none, only the whole time that is written shows that there was none.
    """
    patience = float("inf") if WANTED[check.expect] == "silent" else seconds
    brief = check.asking(kind_of(check.probe).briefly(patience, times=1))
    return brief.replace(wait=0.0)
