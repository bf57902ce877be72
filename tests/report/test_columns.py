"""A table that is shown again and again, on a terminal that may be too small for it."""

from __future__ import annotations

import pytest
from rich.console import Console

from labctl.report.columns import on_screen


@pytest.mark.parametrize(("rows", "last"), [(22, "a note"), (30, "9 more lines")])
def test_what_has_no_room_on_the_screen_is_told(rows: int, last: str) -> None:
    out = Console(width=80, height=24)
    students = [(f"student{number}", "two-site") for number in range(rows)]
    lines = out.render_lines(on_screen((("user", "lab"), students, ["a note"]), out), pad=False)
    told = ["".join(segment.text for segment in line) for line in lines]
    assert len(told) == 24 and "student21" in told[22] and told[-1].startswith(last)
