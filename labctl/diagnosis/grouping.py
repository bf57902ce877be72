"""Causes over all checks: what several checks fail for is told once, with their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from labctl.diagnosis.reasons import Reason
from labctl.diagnosis.verdict import Verdict


def by_cause(found: Iterable[tuple[str, Sequence[Verdict]]]) -> tuple[Verdict, ...]:
    """Return the causes of the named checks, each once, the one of most checks first and the unknown last."""
    causes: dict[tuple[str, Reason], Verdict] = {}
    for name, verdicts in found:
        for verdict in verdicts:
            key = (verdict.hop, verdict.reason)
            known = causes.get(key, verdict)
            causes[key] = replace(known, checks=(*known.checks, name) if name else known.checks)
    return tuple(sorted(causes.values(), key=lambda each: (each.reason is Reason.UNKNOWN, -len(each.checks))))
