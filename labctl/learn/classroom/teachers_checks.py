"""Which checks are asked in whose lab. What they are judged against is never a student's file.

a topology file         for itself, in the lab of its name
a file with `checks:`   against the shipped topology that has the name of the lab
a lesson                those of a step, as the lesson is for the seed of the student
nothing                 those of the step that the student reports to be at, or of the shipped topology

Where no topology is named, that of a lab is a guess by its name, and what a lesson or the student has changed is found
fault with although it may be as it should be. What passes has passed all the same, because it was measured; where
something fails, and there is a sign that the guess is wrong, it is said that it could not be asked.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

from labctl.errors import LabError, UsageError
from labctl.frozen import frozen
from labctl.learn.classroom import spool
from labctl.learn.classroom.measure import Guessed, Task
from labctl.learn.classroom.people import Student
from labctl.learn.classroom.reported import Reported
from labctl.learn.lesson import shipped as lessons
from labctl.learn.lesson.load import LessonFile, load, name_of
from labctl.plan.desired import Desired, desired
from labctl.rootless.holders import Holder
from labctl.topology import checks_file, shipped
from labctl.topology.load import load_routed, loads, tree_of
from labctl.topology.model import Topology
from labctl.topology.rename import renamed
from labctl.topology.routed import Routed

SLACK = 60.0
"""Seconds by which a lesson may be older than the lab that it is in: the clock of the machine may be set meanwhile."""


class Checks(Protocol):
    """Has the checks for a lab."""

    def task(self, student: Student, holder: Holder, reported: Reported | None) -> Task | str:
        """Return the checks for a lab of a student; in words why there are none for it.

        `reported` is the lesson that the student reports to be at in this lab. Raise LabError where they do not fit it.
        """


@frozen
class OfTopology:
    """The checks of a topology, for the lab of its name; for another lab only where a student has none of that name."""

    routed: Routed

    def task(self, student: Student, holder: Holder, reported: Reported | None) -> Task | str:
        name = self.routed.topology.name
        if holder.lab != name and any(each.lab == name for each in student.holders):
            return f"the checks are for lab {name}"
        wanted = Desired.of(renamed(self.routed, holder.lab))
        return Task(holder, wanted, wanted.topology.checks)


@frozen
class OfShipped:
    """The checks of the shipped topology that has the name of the lab, or others for that topology."""

    others: checks_file.ChecksFile | None = None

    def task(self, student: Student, holder: Holder, reported: Reported | None) -> Task | str:
        wanted = _shipped(holder.lab)
        if wanted is None:
            return f"no topology {holder.lab} ships with labctl: name a file with --checks"
        if self.others is None:
            return Task(holder, wanted, wanted.topology.checks, Guessed(_is_of(reported)))
        changed = reported if reported and not _is_in(reported, wanted.topology) else None
        return Task(holder, wanted, checks_file.checks_for(wanted.topology, self.others), Guessed(_is_of(changed)))


@frozen
class OfLesson:
    """The checks of a step of a lesson, for the seed that root has for the student, or else the one that is reported.

    `step` is its number from 1; None is for the one that a student reports to be at.
    """

    folder: Path
    step: int | None

    def task(self, student: Student, holder: Holder, reported: Reported | None) -> Task | str:
        in_it = reported if reported and reported.lesson == name_of(self.folder) else None
        seed = spool.seed_of(student.uid)
        seed = seed if seed is not None else in_it.seed if in_it else 0
        file, number = _lesson(self.folder, seed), self.step or (in_it.step if in_it else 1)
        if not 1 <= number <= len(file.steps):
            return f"lesson {file.name} has no step {number}"
        lab, checks = file.labs[number - 1], file.steps[number - 1].check
        if holder.lab != lab.name:
            return f"the lab of lesson {file.name} is {lab.name}"
        return Task(holder, desired(lab), checks) if checks else f"step {number} of {file.name} has no checks"


class AsReported:
    """The checks of the step of a shipped lesson that a student reports to be at in a lab, or of a shipped topology."""

    def task(self, student: Student, holder: Holder, reported: Reported | None) -> Task | str:
        folder = lessons.folders().get(reported.lesson) if reported and reported.lab == holder.lab else None
        if folder is not None:
            return OfLesson(folder, None).task(student, holder, reported)
        return OfShipped().task(student, holder, reported)


def of_file(file: str) -> Checks:
    """Return the checks of a file, or of a shipped topology. Raise UsageError where it cannot be read or is wrong."""
    path = shipped.find(file)
    read = checks_file.read(path)
    value = tree_of(read.text, read.name).root.value
    if not isinstance(value, dict) or "namespaces" not in value:
        return OfShipped(read)
    found = load_routed(path)
    if not found.topology.checks:
        raise UsageError(f"{read.name} has no checks", "the key `checks` is missing", "add some")
    return OfTopology(found)


def of_lesson(name: str, step: int | None) -> Checks:
    """Return the checks of a lesson. Raise UsageError where there is none such, or it has no such step."""
    folder = lessons.find(name)
    file = load(folder, 0)
    if step is not None and step > len(file.steps):
        raise UsageError(f"lesson {file.name} has no step {step}", f"it has {len(file.steps)}", "")
    return OfLesson(folder, step)


def _is_of(reported: Reported | None) -> str:
    """Return, in words, that a lab is said to be that of a lesson; nothing where it is not."""
    if reported is None:
        return ""
    name = reported.lesson
    return f"it is reported to be the lab of lesson {name}: ask with --lesson {shlex.quote(name)}"


def _is_in(reported: Reported, topology: Topology) -> bool:
    """Return whether the lab of a lesson is as a topology has it, at the step that is reported."""
    folder = lessons.folders().get(reported.lesson)
    labs = _lesson(folder, reported.seed).labs[reported.step - 1 :] if folder is not None else ()
    return bool(labs) and labs[0].replace(checks=topology.checks) == topology


@cache
def _shipped(name: str) -> Desired | None:
    return desired(loads(shipped.text_of(name), name)) if name in shipped.names() else None


@cache
def _lesson(folder: Path, seed: int) -> LessonFile:
    return load(folder, seed)


def tasks(
    students: Sequence[Student], reported: Mapping[int, Sequence[Reported]], checks: Checks
) -> tuple[list[Task], dict[Holder, str]]:
    """Return the checks for all labs of some students, and in words why there are none for some of them.

    Raise LabError where the checks fit no lab at all.
    """
    found, left, wrong = [], {}, []
    for student in students:
        for holder in student.shown:
            lesson = next((each for each in reported.get(student.uid, ()) if _may_be_in(each, holder)), None)
            try:
                task = checks.task(student, holder, lesson)
            except LabError as error:  # a student may call a lab as they like
                wrong.append(error)
                task = f"the checks do not fit lab {holder.lab}"
            if isinstance(task, Task):
                found.append(task)
            else:
                left[holder] = task
    if wrong and not found:
        raise wrong[0]
    return found, left


def _may_be_in(reported: Reported, holder: Holder) -> bool:
    """Return whether a student may be in a lesson in a lab: one of that name, and not made after the step was begun."""
    return reported.lab == holder.lab and (reported.since is None or reported.since > holder.began - SLACK)
