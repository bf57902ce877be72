"""How a failure reads for a person, on standard error: what failed, why, what to do now."""

from __future__ import annotations

import sys
from contextlib import suppress

from labctl.errors import LabError
from labctl.report.style import BOLD, RED, styled


def show(error: LabError) -> None:
    """Write a failure to standard error, in colour where that is a terminal."""
    _write(error.what, RED + BOLD)
    if error.why:
        # The mistakes of a file begin with FILE:LINE:COLUMN, which editors and terminals know at the start of a line.
        _write(error.why if "\n" in error.why else f"  {error.why}")
    if error.hint:
        _write(f"  → {error.hint}", BOLD)


def _write(line: str, style: str = "") -> None:
    with suppress(OSError):  # where standard error takes nothing, the exit code tells
        print(styled(line, style, sys.stderr), file=sys.stderr, flush=True)
