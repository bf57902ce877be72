"""Scores as a table in markdown, by class, and each fault with what was said of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import mean

from tests.diagnosis.score import Score

Scored = tuple[str, Score]
"""The class of a fault, and its score."""


def table(scores: Sequence[Scored]) -> str:
    """Return the means of each class, in markdown."""
    kinds = dict.fromkeys(kind for kind, _ in scores)
    rows = [(kind, [one for of, one in scores if of == kind]) for kind in kinds]
    singles = [one for kind, one in scores if kind not in ("pairs", "controls")]
    rows.insert(len([kind for kind in kinds if kind not in ("pairs", "controls")]), ("**all single**", singles))
    head = "| class | n | mean of 3 | where | why | what to do | wrong | unknown | skipped |"
    return "\n".join([head, "|" + "---|" * 9, *(_row(kind, list(of_kind)) for kind, of_kind in rows)])


def _row(kind: str, scores: Iterable[Score]) -> str:
    tried = [one for one in scores if not one.skipped]
    skipped = len(list(scores)) - len(tried)
    if not tried:
        return f"| {kind} | 0 | | | | | | | {skipped} |"
    points, where, why, do = (mean(getattr(one, name) for one in tried) for name in ("points", "where", "why", "do"))
    wrong, unknown = sum(one.wrong for one in tried), sum(one.unknown for one in tried)
    shares = f"{points:.2f} | {where:.2f} | {why:.2f} | {do:.2f}"
    return f"| {kind} | {len(tried)} | {shares} | {wrong} | {unknown} | {skipped} |"


def line(scored: Scored) -> str:
    """Return what was said of one fault."""
    kind, one = scored
    if one.skipped:
        return f"- skipped {kind}: {one.name}: {' '.join(one.skipped.split())[:200]}"
    mark = "WRONG" if one.wrong else "unknown" if one.unknown else f"{one.points:.1f}"
    what = f"where {one.where:g} why {one.why:g} do {one.do:g}"
    return "\n    ".join([f"- {mark} {kind}: {one.name} ({what})", *one.told])
