"""Which checks are asked in whose lab: those of the teacher's file, or of the topology of that name that ships here.

What they are judged against is never a student's file. A file that is a topology stands for itself; one with `checks:`
alone is judged against the shipped topology that has the name of the lab.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from labctl.errors import UsageError
from labctl.learn.classroom.measure import Task
from labctl.learn.classroom.people import Student
from labctl.plan.desired import Desired, desired
from labctl.rootless.holders import Holder
from labctl.topology import checks_file, shipped
from labctl.topology.load import load_routed, loads, tree_of
from labctl.topology.rename import renamed
from labctl.topology.routed import Routed


@dataclass(frozen=True)
class TeachersChecks:
    """The teacher's checks: `whole` where the file is a topology, `alone` where it has checks only, or neither."""

    whole: Routed | None = None
    alone: checks_file.ChecksFile | None = None

    @classmethod
    def of(cls, file: str | None) -> TeachersChecks:
        """Return the checks of a file, or a shipped topology. Raise UsageError where it cannot be read or is wrong."""
        if file is None:
            return cls()
        path = shipped.find(file)
        read = checks_file.read(path)
        value = tree_of(read.text, read.name).root.value
        if isinstance(value, dict) and "namespaces" in value:
            found = load_routed(path)
            if not found.topology.checks:
                raise UsageError(f"{read.name} has no checks", "the key `checks` is missing", "add some")
            return cls(whole=found)
        return cls(alone=read)

    def task(self, holder: Holder, others: Sequence[Holder]) -> Task | str:
        """Return the checks for a lab of a student who has others, too; in words why there are none for it.

        Raise UsageError where checks alone do not fit the topology that ships under its name.
        """
        if self.whole is not None:
            name = self.whole.topology.name
            if holder.lab != name and any(other.lab == name for other in (holder, *others)):
                return f"the file is about lab {name}"
            wanted = Desired.of(renamed(self.whole, holder.lab))
            return Task(holder, wanted, wanted.topology.checks)
        wanted_here = _shipped(holder.lab)
        if wanted_here is None:
            return f"no topology {holder.lab} ships with labctl: name a file with --checks"
        topology = wanted_here.topology
        return Task(
            holder, wanted_here, checks_file.checks_for(topology, self.alone) if self.alone else topology.checks
        )


@cache
def _shipped(name: str) -> Desired | None:
    return desired(loads(shipped.text_of(name), name)) if name in shipped.names() else None


def tasks(students: Sequence[Student], checks: TeachersChecks) -> tuple[list[Task], dict[Holder, str]]:
    """Return the checks for all labs of some students, and in words why there are none for some of them."""
    found, left = [], {}
    for student in students:
        for holder in student.holders:
            task = checks.task(holder, [other for other in student.holders if other is not holder])
            if isinstance(task, Task):
                found.append(task)
            else:
                left[holder] = task
    return found, left


def name_of(file: str | None) -> str:
    """Return what reports call the checks."""
    return shipped.as_typed(str(Path(file))) if file else "shipped topologies"
