"""What was found of the steps of a lesson, a line each for its author."""

from __future__ import annotations

from collections.abc import Sequence


def proof_line(step: str, seed: int, findings: Sequence[str], back: float) -> str:
    """Return what was found of a step; `back` is in seconds."""
    if not findings:
        return f"  ok      {step}  seed {seed}, back in {back:.2f} s"
    return "\n".join(f"  WRONG   {step}  seed {seed}: {finding}" for finding in findings)
