"""Rows of a class as tables for a person and for a spreadsheet, and as JSON.

What a student has reported of themselves is marked: with `~` for a person, with `self_reported` for a program.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from labctl.checks.results import Result
from labctl.learn.classroom.listing import Row
from labctl.learn.classroom.measure import Measured
from labctl.learn.classroom.reported import Reported
from labctl.learn.classroom.roster import Entry
from labctl.learn.classroom.submission import Refused, Submission

SELF_REPORTED = "~ is what students have reported of themselves"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NAMED = 3
"""Checks that are named for a person; of others there is a number."""


class Table(NamedTuple):
    """Headings, the rows below them, and lines that explain both."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def of_class(rows: Sequence[Row], now: float) -> Table:
    """Return the class as a table for a person; `now` is in seconds since the epoch."""
    cells = [
        (
            row.user,
            row.lab or "no lab",
            ago(row.since, now),
            *of_lesson(row.lesson, now),
            verdict(row.measured),
            f"{row.cost.memory / 1e6:.0f} MB, {row.cost.cpu_seconds:.1f} s" if row.cost else "",
        )
        for row in rows
    ]
    remarks = dict.fromkeys(f"{row.user}: {remark}" for row in rows for remark in row.remarks)
    headings = ("user", "lab", "up for", "~ lesson", "~ step", "~ for", "~ hints", "checks", "memory, CPU")
    return Table(headings, cells, (*([SELF_REPORTED] if any(row.lesson for row in rows) else []), *remarks))


def of_results(rows: Sequence[Row]) -> Table:
    """Return the results of the teacher's checks as a table for a person."""
    return Table(("user", "lab", "checks"), [(row.user, row.lab or "no lab", verdict(row.measured)) for row in rows])


def of_results_at_reported_steps(rows: Sequence[Row]) -> Table:
    """Return the same with the step of a lesson that each was asked for, which is the one that they report."""
    cells = [(row.user, row.lab or "no lab", *of_lesson(row.lesson, 0)[:2], verdict(row.measured)) for row in rows]
    return Table(("user", "lab", "~ lesson", "~ step", "checks"), cells, (SELF_REPORTED, "--step asks all for one"))


def of_submissions(found: Sequence[Submission | Refused], now: float) -> Table:
    """Return what was handed in as a table for a person: all of it is self-reported, and refused files are notes."""
    taken = [each for each in found if isinstance(each, Submission)]
    cells = [
        (each.user, each.file, *of_lesson(each.lesson, now)[:2], str(each.lesson.hints), str(each.lesson.skipped),
         f"{each.lesson.seconds / 60:.0f} min", _counted(each.passed, each.failed, ()))
        for each in taken
    ]  # fmt: skip
    headings = ("~ user", "file", "~ lesson", "~ step", "~ hints", "~ skipped", "~ took", "~ checks")
    refused = [f"{each.file} was refused: {each.why}" for each in found if isinstance(each, Refused)]
    return Table(headings, cells, (*([SELF_REPORTED] if taken else []), *refused))


def of_roster(found: Sequence[Entry]) -> Table:
    """Return a roster as a table for a person."""
    cells = [(each.user, str(each.seed), "" if each.known else "no such user here") for each in found]
    return Table(("user", "seed", ""), cells)


def of_lesson(lesson: Reported | None, now: float) -> tuple[str, str, str, str]:
    """Return the name of a lesson, the step, since when, and the hints, as cells."""
    if lesson is None:
        return "", "", "", ""
    return lesson.lesson, f"{lesson.step}/{lesson.of}", ago(lesson.since, now), str(lesson.hints)


def ago(moment: float | None, now: float) -> str:
    """Return for how long something has been, in words; nothing where it has not begun."""
    if moment is None:
        return ""
    seconds = max(now - moment, 0)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def verdict(measured: Measured | None) -> str:
    """Return in words what the checks say in a lab, or why they say nothing."""
    if measured is None:
        return ""
    if measured.why:
        return measured.why
    names = [[each.name for each in measured.results if choose(each)] for choose in _CHOICES]
    return _counted(*names)


def summary(measured: Measured | None) -> str:
    """Return how many of the checks have passed in a lab, and no names; or why they say nothing."""
    if measured is None or measured.why:
        return verdict(measured)
    return f"{sum(result.passed for result in measured.results)} of {len(measured.results)} passed"


_CHOICES: Sequence[Callable[[Result], bool]] = (
    lambda each: each.passed,
    lambda each: each.asked and not each.passed,
    lambda each: not each.asked,
)


def _counted(passed: Sequence[str], failed: Sequence[str], not_asked: Sequence[str]) -> str:
    number = len(passed) + len(failed) + len(not_asked)
    parts = [f"{len(passed)} of {number} passed"]
    parts += [f"{words} {_named(names)}" for words, names in (("failed:", failed), ("not asked:", not_asked)) if names]
    return "; ".join(parts)


def _named(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def class_as_values(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the class as JSON has it."""
    return [
        {
            "user": row.user,
            "uid": row.uid,
            "lab": row.lab,
            "since": row.since,
            "cost": asdict(row.cost) if row.cost else None,
            "checks": results_as_values(row.measured),
            "lesson": lesson_as_values(row.lesson),
            "remarks": list(row.remarks),
        }
        for row in rows
    ]


def results_as_values(measured: Measured | None) -> dict[str, Any] | None:
    """Return what the checks say in a lab as JSON has it."""
    if measured is None:
        return None
    return {
        "passed": measured.passed,
        "why": measured.why,
        "results": [asdict(result) for result in measured.results],
    }


def lesson_as_values(lesson: Reported | None) -> dict[str, Any] | None:
    """Return a lesson as JSON has it, which says that it is self-reported."""
    return (
        {"self_reported": True, "hints": lesson.hints, "skipped": lesson.skipped, **asdict(lesson)} if lesson else None
    )


def submissions_as_values(found: Iterable[Submission | Refused]) -> list[dict[str, Any]]:
    """Return what was handed in as JSON has it."""
    return [
        {"file": each.file, "refused": each.why}
        if isinstance(each, Refused)
        else {**asdict(each), "lesson": lesson_as_values(each.lesson), "self_reported": True}
        for each in found
    ]


def class_as_records(rows: Iterable[Row]) -> list[dict[str, object]]:
    """Return the class as records of a spreadsheet."""
    return [
        {
            "user": row.user,
            "lab": row.lab,
            "since": row.since,
            "passed": sum(each.passed for each in row.measured.results) if row.measured else None,
            "failed": " ".join(row.failing),
            "not_asked": " ".join(row.not_asked),
            "why": row.measured.why if row.measured else "",
            "memory_bytes": row.cost.memory if row.cost else None,
            "cpu_seconds": row.cost.cpu_seconds if row.cost else None,
            **record_of(row.lesson),
        }
        for row in rows
    ]


def record_of(lesson: Reported | None) -> dict[str, object]:
    """Return a lesson as columns of a spreadsheet, whose names say that they are self-reported."""
    keys = ("lesson", "step", "of", "since", "hints", "skipped")
    return {f"self_reported_{key}": getattr(lesson, key) if lesson else None for key in keys}


def submissions_as_records(found: Iterable[Submission | Refused]) -> list[dict[str, object]]:
    """Return what was handed in as records of a spreadsheet."""
    return [
        {
            "file": each.file,
            "refused": each.why if isinstance(each, Refused) else "",
            "self_reported_user": "" if isinstance(each, Refused) else each.user,
            **record_of(None if isinstance(each, Refused) else each.lesson),
            "self_reported_failed": "" if isinstance(each, Refused) else " ".join(each.failed),
        }
        for each in found
    ]


def csv_of(records: Sequence[Mapping[str, object]]) -> str:
    """Return records as CSV (RFC 4180). What a spreadsheet would take for a formula begins with an apostrophe."""
    if not records:
        return ""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(records[0]))
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in record.items()} for record in records)
    return out.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
