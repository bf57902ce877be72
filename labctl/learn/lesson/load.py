"""A folder in, a lesson out, or every mistake of its lesson.md at once, each with its line and column.

    text -> parts -> plain values, with the variables of a seed -> model -> rules

The checks of a step, and the edits before it, are judged as those of a topology file are, against the topology that the
step begins with: what is wrong in them is told in the same words.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from labctl.api.sources import refuse_hosts
from labctl.frozen import frozen
from labctl.learn.changes import merged
from labctl.learn.lesson.model import Lesson, Step
from labctl.learn.lesson.rules import mistakes_of
from labctl.learn.lesson.sections import Document, Section, document
from labctl.learn.lesson.variables import substituted, values_of
from labctl.topology.judge import Wrong, judged
from labctl.topology.load import load as load_topology
from labctl.topology.load import located, text_of, tree_of
from labctl.topology.model import Check, Topology
from labctl.topology.paths import Path as Keys
from labctl.topology.program_paths import anchored
from labctl.topology.reading import read
from labctl.topology.shipped import find
from labctl.topology.yaml_tree import Position, Tree

FILE = "lesson.md"
FORM = "a lesson.md begins with a line ---, its front matter in YAML, and a line ---; `labctl lesson new` makes one"


@frozen
class LessonFile:
    """A lesson for a seed: each step with its section, and with the topology of the lab that it begins with."""

    name: str
    directory: Path
    seed: int
    lesson: Lesson
    introduction: str
    sections: tuple[Section, ...]
    labs: tuple[Topology, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return the steps."""
        return self.lesson.steps


def name_of(folder: Path) -> str:
    """Return the name of a lesson: that of its folder, without a number before it."""
    whole = os.path.basename(os.path.realpath(folder))
    number, _, name = whole.partition("-")
    return name if number.isdigit() and name else whole


def load(directory: Path, seed: int) -> LessonFile:
    """Return the lesson in a folder. Raise UsageError, or its FileMistakes where the file can be read but is wrong."""
    path = directory / FILE
    return loads(text_of(path), str(path), directory, seed)


def heading(directory: Path) -> tuple[str, int]:
    """Return the title of a lesson, and how many minutes it takes, and look at nothing else. Raise as `load` does."""
    path = directory / FILE
    values = _values(tree_of(_document(text_of(path), str(path)).front, str(path)))
    title, minutes = values.get("title"), values.get("minutes")
    return str(title or name_of(directory)), minutes if isinstance(minutes, int) else 0


def loads(text: str, filename: str, directory: Path, seed: int) -> LessonFile:
    """Return the lesson in a text; `filename` is what messages call it. Raise as `load` does."""
    name = name_of(directory)
    written = _document(text, filename)
    declared = _values(tree_of(written.front, filename)).get("vars")
    text = substituted(text, {"folder": str(directory.resolve()), **values_of(declared, name, seed)})
    parts = _document(text, filename)
    tree = tree_of(parts.front, filename)
    values = _values(tree)
    topology = _topology(values, directory)
    lesson, wrong = _validated(values)
    labs: list[Topology] = []
    if topology is not None:
        steps = _Steps(topology, str(directory.resolve()), values)
        checked = []
        for each in steps.with_checks():
            checked.append(each)
            labs.append(steps.lab_of(each))
        wrong += steps.wrong
        if lesson is not None and not wrong:
            lesson = lesson.replace(steps=tuple(map(_with_checks, lesson.steps, checked)))
            wrong += mistakes_of(lesson, labs)
    found = [*tree.findings, *((tree.position(one.path), one.what, one.hint) for one in wrong)]
    found += _headings(parts, tree, values)
    if found or lesson is None:
        raise located(found, text, filename)
    return LessonFile(name, directory, seed, lesson, parts.introduction, parts.sections, tuple(labs))


def _document(text: str, filename: str) -> Document:
    parts = document(text)
    if parts is None:
        raise located([(Position(0, 0), "there is no front matter", FORM)], text, filename)
    return parts


def _values(tree: Tree) -> Mapping[str, Any]:
    value = tree.root.value
    return value if isinstance(value, dict) else {}


def _topology(values: Mapping[str, Any], directory: Path) -> Topology | None:
    """Return the topology that a lesson names; None where it names none. Raise UsageError where that is wrong."""
    named = values.get("topology")
    if not isinstance(named, str):
        return None
    beside = directory / named
    topology = load_topology(beside if beside.is_file() else find(named))
    refuse_hosts(topology, "a lesson has its labs on one machine")
    return topology


def _validated(values: Mapping[str, Any]) -> tuple[Lesson | None, list[Wrong]]:
    """Return the lesson without its checks, which are judged by themselves."""
    steps = values.get("steps")
    if isinstance(steps, list):
        without = [{**step, "check": []} if isinstance(step, dict) and "check" in step else step for step in steps]
        values = {**values, "steps": without}
    lesson, broken = read(Lesson, values)
    return lesson, [Wrong(one.path, one.what, one.hint) for one in broken]


class _Steps:
    """The topology of each step, and what is wrong in what the steps make of it."""

    def __init__(self, topology: Topology, directory: str, values: Mapping[str, Any]) -> None:
        self._values: Any = topology.written()
        self._topology = topology
        self._directory = directory
        self._written = values
        self._edits: list[tuple[Keys, Mapping[str, Any]]] = []
        self.wrong: list[Wrong] = []

    def with_checks(self) -> Iterator[Topology]:
        """Yield the topology of each step with its checks; where it is wrong that of the step before."""
        self._edit(("edit",), self._written.get("edit"))
        steps = self._written.get("steps")
        for number, step in enumerate(steps if isinstance(steps, list) else []):
            at = ("steps", number)
            step = step if isinstance(step, dict) else {}
            setup = step.get("setup")
            for index, change in enumerate(setup if isinstance(setup, list) else []):
                if isinstance(change, dict):
                    self._edit((*at, "setup", index, "edit"), change.get("edit"))
            yield self._judged(at, step.get("check") or [])

    def lab_of(self, topology: Topology) -> Topology:
        """Return the topology of the current step for its lab: with its own checks, where they still fit."""
        without = topology.replace(checks=())
        values = without.written()
        found = judged({**values, "checks": self._values.get("checks", [])}, self._directory)
        if any("checks" in patch for _, patch in self._edits):
            self._note(Wrong(self._edited_at(one.path), one.what, one.hint) for one in found.wrong)
        return found.routed.topology if found.routed is not None else without

    def _edit(self, at: Keys, patch: Any) -> None:
        if isinstance(patch, dict) and patch:
            self._values = merged(self._values, patch)
            self._edits.append((at, patch))

    def _judged(self, at: Keys, checks: Any) -> Topology:
        found = judged({**self._values, "checks": checks}, self._directory)
        self._note(Wrong(self._path(at, one.path), one.what, one.hint) for one in found.wrong)
        if found.routed is not None:
            self._topology = anchored(found.routed.topology, self._directory)
        return self._topology

    def _path(self, step: Keys, path: Keys) -> Keys:
        """Return where the author has written what stands at a path of the topology of a step."""
        if path[:1] == ("checks",):
            return (*step, "check", *path[1:])
        return self._edited_at(path)

    def _edited_at(self, path: Keys) -> Keys:
        """Return where the last edit is that has written what stands at a path of the topology."""
        for at, patch in reversed(self._edits):
            if path and path[0] in patch:
                return (*at, *path)
        return self._edits[-1][0] if self._edits else ("topology",)

    def _note(self, wrong: Iterable[Wrong]) -> None:
        self.wrong += [one for one in wrong if one not in self.wrong]


def _with_checks(step: Step, topology: Topology) -> Step:
    checks: tuple[Check, ...] = topology.checks
    return step.replace(check=checks)


def _headings(parts: Document, tree: Tree, values: Mapping[str, Any]) -> Iterator[tuple[Position, str, str]]:
    """Yield what is wrong between steps and headings: there is one for each."""
    steps = values.get("steps")
    if not isinstance(steps, list):
        return
    for number in range(len(parts.sections), len(steps)):
        hint = "each step has a heading ## in the text, in the same order"
        yield tree.position(("steps", number)), "this step has no heading in the text", hint
    for section in parts.sections[len(steps) :]:
        yield Position(section.line, 0), f"the heading {section.title!r} has no step", "write one, or use ###"
