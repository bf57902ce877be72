"""How a failure reads for a person, on standard error: what failed, why, what to do now.

Without rich, which takes longer to load than most commands take to fail.
"""

from __future__ import annotations

import sys

from labctl.errors import LabError

_BOLD, _RED, _RESET = "\x1b[1m", "\x1b[31m", "\x1b[0m"  # ECMA-48, SGR


def show(error: LabError) -> None:
    """Write a failure to standard error, in colour where that is a terminal."""
    _write(error.what, _RED + _BOLD)
    if error.why:
        # The mistakes of a file begin with FILE:LINE:COLUMN, which editors and terminals know at the start of a line.
        _write(error.why if "\n" in error.why else f"  {error.why}")
    if error.hint:
        _write(f"  → {error.hint}", _BOLD)


def _write(line: str, style: str = "") -> None:
    print(f"{style}{line}{_RESET}" if style and sys.stderr.isatty() else line, file=sys.stderr, flush=True)
