"""What is said of a program that does not become ready: what it lacks, and its last words."""

from __future__ import annotations

from pathlib import Path

from labctl.lab.engines.logs import last_words
from labctl.lab.programs.errors import ProgramFailed

CORRECT = "correct the program, then run the same command again"
KEPT_BACK = "does it keep back what it writes to a pipe? write stdbuf -oL in front of its command"


def failed(name: str, command: str, what: str, log: Path, since: str, hint: str = CORRECT) -> ProgramFailed:
    """Return the error for a program of which `what` is told, with the last lines of its log since a time."""
    said = "".join(f"\n    {line}" for line in last_words(log, since))
    return ProgramFailed(
        f"{name} {what}",
        f"  {command} said:{said}" if said else f"{command} said nothing",
        hint,
    )
