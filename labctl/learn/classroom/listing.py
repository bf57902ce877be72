"""The class as it is now: a row for each lab of each student, and for each who has none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, field
from functools import partial
from typing import Any

from labctl.checks.results import Result
from labctl.frozen import frozen
from labctl.lab.verify import Verified
from labctl.learn.classroom import people, reported
from labctl.learn.classroom.measure import Measured, measure, workers
from labctl.learn.classroom.people import Student
from labctl.learn.classroom.reported import Reported
from labctl.learn.classroom.teachers_checks import Checks, tasks
from labctl.process.apart import Limits, answers
from labctl.rootless.cost import Cost, cost
from labctl.rootless.holders import Holder

_LIMITS = Limits(seconds=5.0, most=1 << 20)
"""What the answers about one student may take: a person waits for them."""


@frozen
class Row:
    """One lab of a student, or none: what the kernel says, what was measured, and what the student has reported.

    `since` is when the lab was made, in seconds since the epoch. `measured` is None where checks were not asked for.
    """

    user: str
    uid: int
    lab: str = ""
    since: float | None = None
    cost: Cost | None = None
    measured: Measured | None = None
    lesson: Reported | None = None
    remarks: tuple[str, ...] = field(default=())

    @property
    def failing(self) -> tuple[str, ...]:
        """Return the names of the checks that were asked and have not passed."""
        return tuple(each.name for each in self._results if each.asked and not each.passed)

    @property
    def not_asked(self) -> tuple[str, ...]:
        """Return the names of the checks that could not be asked."""
        return tuple(each.name for each in self._results if not each.asked)

    @property
    def _results(self) -> tuple[Result, ...]:
        return self.measured.results if self.measured else ()


def listing(students: Sequence[Student], checks: Checks | None) -> list[Row]:
    """Return the rows of some students, by name. With checks these are measured in all their labs."""
    costs = _costs([holder for student in students for holder in student.shown])
    lessons = _lessons(students)
    results: dict[Holder, Measured] = {}
    if checks is not None:
        asked, without = tasks(students, {uid: found for uid, (found, _) in lessons.items()}, checks)
        results = {task.holder: found for task, found in measure(asked)}
        results |= {holder: Measured(why=why) for holder, why in without.items()}
    return [row for student in students for row in _rows(student, costs, *lessons[student.uid], results)]


def _rows(
    student: Student,
    costs: Mapping[Holder, Cost],
    lessons: Sequence[Reported],
    wrong: str,
    results: Mapping[Holder, Measured],
) -> Iterator[Row]:
    """Yield a row for each lab; the lesson that was gone on with last stands beside its lab, or in a row of its own."""
    no_home = "" if people.home_of(student) else "lessons are not known: the server knows no home of this user"
    remarks = tuple(filter(None, (wrong, no_home, student.more)))
    current = lessons[0] if lessons else None
    beside = next((each for each in student.shown if current and each.lab == current.lab), None)
    if beside is None and (current or not student.shown):
        yield Row(student.name, student.uid, lesson=current, remarks=remarks)
    for holder in student.shown:
        lesson = current if holder is beside else None
        yield Row(
            student.name,
            student.uid,
            holder.lab,
            holder.began,
            costs.get(holder),
            results.get(holder),
            lesson,
            remarks,
        )


def _costs(holders: Sequence[Holder]) -> dict[Holder, Cost]:
    works = [partial(_cost, holder) for holder in holders]
    found = {}
    for number, answer in answers(works, workers(), _LIMITS):
        if isinstance(answer.value, dict):
            found[holders[number]] = Cost(**answer.value)
    return found


def _cost(holder: Holder) -> dict[str, Any]:
    return asdict(cost(holder.process))


def _lessons(students: Sequence[Student]) -> dict[int, tuple[list[Reported], str]]:
    """Return what each student's files say of lessons, by number."""
    at_home = [(student, home) for student in students if (home := people.home_of(student))]
    works = [reported.files_of(student.uid, student.gid, home) for student, home in at_home]
    found: dict[int, tuple[list[Reported], str]] = {student.uid: ([], "") for student in students}
    for number, answer in answers(works, workers(), _LIMITS):
        found[at_home[number][0].uid] = reported.all_reported(answer)
    return found


def measured_rows(students: Sequence[Student], checks: Checks) -> list[Row]:
    """Return rows with the results of checks, and with the lesson that is reported to be in that lab.

    Of a student who has no lab it is said that there is none. A lab for which there are no checks is left out where
    the student has one that they are for.
    """
    lessons = {uid: found for uid, (found, _) in _lessons(students).items()}
    asked, without = tasks(students, lessons, checks)
    results = {task.holder: found for task, found in measure(asked)}
    rows = []
    for student in students:
        mine = [(holder, results[holder]) for holder in student.shown if holder in results]
        mine = mine or [(holder, Measured(why=without[holder])) for holder in student.shown]
        beside = {each.lab: each for each in reversed(lessons[student.uid])}
        rows += [
            Row(student.name, student.uid, holder.lab, measured=found, lesson=beside.get(holder.lab))
            for holder, found in mine
        ]
        if not mine:
            rows.append(Row(student.name, student.uid, measured=Measured(why="there is no lab")))
    return rows


def as_verified(row: Row) -> Verified:
    """Return the results of a row as those of a verification, whose lab has the name of the user, too."""
    found = row.measured or Measured(why="not measured")
    results = found.results or (
        Result("measured", "", False, False, "unasked", "checks can be asked", found.why, (), ""),
    )
    return Verified(f"{row.user}.{row.lab}" if row.lab else row.user, "", results, ())
