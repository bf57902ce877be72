"""The teacher's checks in the lab of a student: measured by our side, with the student's rights."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from typing import Any, get_args

from labctl.checks.results import Evidence, Result, State
from labctl.errors import kernel_words
from labctl.frozen import frozen
from labctl.kernel import namespaces
from labctl.lab.outside.moved import moved
from labctl.lab.outside.names import keep_names
from labctl.lab.outside.verify import verify
from labctl.learn.classroom.printable import printable
from labctl.plan.desired import Desired
from labctl.process.apart import Answer, Limits, answers
from labctl.process.syscalls import open_beneath
from labctl.rootless.holders import Holder
from labctl.rootless.visit import visit
from labctl.topology.model import Check

COURTESY = 5.0
"""Seconds that are waited for a student's own checks to end: both count packets."""

EACH = 8.0
"""Seconds that a check may take, beside those for which it waits by the file."""

_MOST = 1 << 20
_LONGEST = 1 << 20  # seconds, of a check that says how long it took
_STATES = get_args(State)


@frozen
class Guessed:
    """What is known of a topology that no teacher has named: `doubt` says in words what speaks against it, if it does.

    Whoever made the lab can make that up, and so it only keeps a check from having failed.
    """

    doubt: str = ""


@frozen
class Task:
    """The checks of a topology for the lab of a student. `guessed` is None where that topology was named."""

    holder: Holder
    wanted: Desired
    checks: Sequence[Check]
    guessed: Guessed | None = None


@frozen
class Measured:
    """The results of the checks; `why` says in words why there are none."""

    results: tuple[Result, ...] = ()
    why: str = ""

    @property
    def passed(self) -> bool:
        """Return whether all checks were asked and have passed."""
        return bool(self.results) and all(result.passed for result in self.results)

    @property
    def failed(self) -> bool:
        """Return whether a check was asked and has not passed."""
        return any(result.asked and not result.passed for result in self.results)


def workers() -> int:
    """Return how many labs are measured at once: a CPU is needed for a twentieth of the time."""
    return min(8 * (os.cpu_count() or 1), 64)


def measure(tasks: Sequence[Task]) -> Iterator[tuple[Task, Measured]]:
    """Yield what the checks say in each lab, in the order in which they are done."""
    seconds = 30 + max((sum(EACH + check.wait for check in task.checks) for task in tasks), default=0.0)
    works = [partial(_inside, task) for task in tasks]
    for number, answer in answers(works, workers(), Limits(seconds, _MOST)):
        yield tasks[number], _doubted(measured(answer, tasks[number].checks), tasks[number].guessed)


def _doubted(found: Measured, guessed: Guessed | None) -> Measured:
    """Return results; of those that have not passed for a topology that may be another one, only that."""
    if found.why or found.passed or guessed is None or not guessed.doubt:
        return found
    return Measured(why=guessed.doubt)


def _inside(task: Task) -> list[dict[str, Any]]:
    """Make the checks, as a child of root's. Return the results as JSON has them."""
    root = visit(task.holder)
    found = _adopted(root, task.wanted.topology.namespaces)
    keep_names(task.wanted)
    _wait_for_own_checks(root, task.holder.lab)
    elsewhere = _elsewhere(task)
    results = verify(task.wanted, task.checks, [task.holder.process.pid])
    return [asdict(_judged(_told(result, found), elsewhere.get(result.name, ""), task.guessed)) for result in results]


def _elsewhere(task: Task) -> dict[str, str]:
    """Return, in words, which tunnels of a check are at other ports than the topology says, by its name."""
    found = moved(task.wanted.topology)
    crossed = {check.name: [found[ref] for ref in check.crosses if ref in found] for check in task.checks}
    return {name: "; ".join(words) for name, words in crossed.items() if words}


def _judged(result: Result, elsewhere: str, guessed: Guessed | None) -> Result:
    """Return a result; what has failed at a tunnel that is elsewhere was not asked where the topology is a guess."""
    if result.passed or not result.asked or result.lost or not elsewhere:
        return result
    if guessed is None:
        return replace(result, lost=elsewhere)
    return replace(result, asked=False, outcome="unasked", lost=f"{elsewhere}: --lesson asks those of a lesson")


def _adopted(root: int, names: Mapping[str, object]) -> dict[str, str]:
    """Give the namespaces of a lab their names here. Return why one is missing, by name.

    Of two names for one namespace neither is: a packet from one to the other would cross nothing.
    """
    namespaces.DIRECTORY.mkdir()
    found: dict[tuple[int, int], str] = {}
    missing = {}
    for name in names:
        try:
            device, inode, _ = namespaces.adopt(root, name)
        except OSError as error:
            missing[name] = kernel_words(error)
            continue
        other = found.setdefault((device, inode), name)
        if other != name:
            missing |= {name: f"it is the same as {other}", other: f"it is the same as {name}"}
    for name in missing:
        namespaces.disown(name)
    return missing


def _told(result: Result, missing: Mapping[str, str]) -> Result:
    """Return a result with what is known of namespaces that are missing."""
    named = [f"namespace {name}: {why}" for name, why in missing.items() if name in result.observed]
    return replace(result, lost="; ".join(named)) if named and not result.passed else result


def _wait_for_own_checks(root: int, lab: str) -> None:
    """Hold the lock of the lab's checks from here on, if it can be had: it is the student's, and proves nothing."""
    with suppress(OSError):
        fd = open_beneath(root, f"run/labctl/{lab}/engines", os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK)
        end = time.monotonic() + COURTESY
        while time.monotonic() < end:
            with suppress(BlockingIOError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(0.05)


def measured(answer: Answer, checks: Sequence[Check]) -> Measured:
    """Return what the process said that has made these checks."""
    if answer.why:
        return Measured(why=f"it could not be measured: {printable(answer.why)}")
    try:
        results = tuple(result_of(value) for value in answer.value)
    except (TypeError, KeyError, ValueError, AttributeError):
        return Measured(why="it could not be measured: the answer is not understood")
    if [result.name for result in results] != [check.name for check in checks]:
        return Measured(why="it could not be measured: the answer is about other checks")
    return Measured(results)


def result_of(value: dict[str, Any]) -> Result:
    """Return a result that was JSON. Raise TypeError, KeyError, ValueError where it is none."""
    texts = {
        key: printable(str(value[key])) for key in ("name", "description", "expected", "observed", "command", "lost")
    }
    if value["outcome"] not in _STATES or type(value["passed"]) is not bool or type(value["asked"]) is not bool:
        raise ValueError
    if not 0 <= value["seconds"] < _LONGEST:
        raise ValueError
    return Result(
        passed=value["passed"],
        asked=value["asked"],
        outcome=value["outcome"],
        evidence=tuple(_evidence(each) for each in value["evidence"]),
        message=printable(str(value["message"])),
        lacks=tuple(printable(str(each)) for each in value["lacks"]),
        seconds=float(value["seconds"]),
        **texts,
    )


def _evidence(value: dict[str, Any]) -> Evidence:
    place, counter, expected = (printable(str(value[key])) for key in ("place", "counter", "expected"))
    if type(value["observed"]) is not int:
        raise ValueError
    return Evidence(place, counter, expected, value["observed"], value["holds"] is True)
