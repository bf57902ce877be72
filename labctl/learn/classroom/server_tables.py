"""A class over servers as a table for a person and for a spreadsheet, and as JSON; `~` marks what is self-reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from labctl.learn.classroom.servers import Found, Lab
from labctl.learn.classroom.submission import Refused
from labctl.learn.classroom.tables import (
    SELF_REPORTED,
    Table,
    ago,
    lesson_as_values,
    of_lesson,
    record_of,
    results_as_values,
    verdict,
)

_NONE = Lab("", None, None)


def of_servers(found: Sequence[Found | Refused], now: float) -> Table:
    """Return a class over servers as a table for a person; `now` is in seconds since the epoch."""
    cells = [
        (
            each.user,
            each.server,
            f"{'~ ' * each.self_reported}{each.state}",
            ago(each.at, now),
            lab.lab,
            verdict(lab.measured) or each.why,
            *of_lesson(lab.lesson, now)[:2],
            str(lab.lesson.hints) if lab.lesson else "",
        )
        for each, lab in _labs(found)
    ]
    marked = any(each.self_reported or lab.lesson for each, lab in _labs(found))
    refused = [f"{each.file} was refused: {each.why}" for each in found if isinstance(each, Refused)]
    headings = ("user", "server", "state", "ago", "lab", "found", "~ lesson", "~ step", "~ hints")
    return Table(headings, cells, (*([SELF_REPORTED] if marked else []), *_failed(found), *refused))


def _labs(found: Iterable[Found | Refused]) -> Iterator[tuple[Found, Lab]]:
    """Yield each lab with what is known of its student, and an empty one where a student has none."""
    for each in found:
        if isinstance(each, Found):
            yield from ((each, lab) for lab in each.labs or (_NONE,))


def _failed(found: Iterable[Found | Refused]) -> Iterator[str]:
    number = sum(isinstance(each, Found) and not each.ok for each in found)
    if number:
        yield f"{number} not as wanted: run the playbook again with --limit @failed, the file beside these"


def servers_as_values(found: Iterable[Found | Refused]) -> list[dict[str, Any]]:
    """Return a class over servers as JSON has it."""
    return [
        {"file": each.file, "refused": each.why}
        if isinstance(each, Refused)
        else {
            "file": each.file,
            "host": each.host,
            "user": each.user,
            "server": each.server,
            "at": each.at,
            "state": each.state,
            "ok": each.ok,
            "measured": each.measured,
            "self_reported": each.self_reported,
            "why": each.why,
            "labs": [
                {
                    "lab": lab.lab,
                    "checks": results_as_values(lab.measured),
                    "lesson": lesson_as_values(lab.lesson),
                }
                for lab in each.labs
            ],
        }
        for each in found
    ]


def servers_as_records(found: Iterable[Found | Refused]) -> list[dict[str, object]]:
    """Return a class over servers as records of a spreadsheet."""
    return [
        {
            "user": each.user,
            "server": each.server,
            "at": each.at,
            "state": each.state,
            "ok": each.ok,
            "measured": each.measured,
            "why": each.why,
            "lab": lab.lab,
            **_counts(lab),
            **record_of(lab.lesson),
        }
        for each, lab in _labs(found)
    ]


def _counts(lab: Lab) -> dict[str, object]:
    results = lab.measured.results if lab.measured else ()
    return {
        "passed": sum(each.passed for each in results) if lab.measured else None,
        "failed": " ".join(each.name for each in results if each.asked and not each.passed),
        "not_asked": " ".join(each.name for each in results if not each.asked),
    }
