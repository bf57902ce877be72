"""How far a student is: a JSON file for each lesson, below $XDG_STATE_HOME/labctl/learn (XDG Base Directory).

It is the student's own record, for going on tomorrow; nothing is graded by it. It is written anew at every change, to a
temporary name, so that a kill at any moment leaves the one before.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import Any

from labctl.errors import MachineError, UsageError, kernel_words
from labctl.frozen import frozen
from labctl.process.disk import replace_text

LARGEST = 1 << 20
"""Bytes of a file at most: one that is larger is not ours."""

BEING_MADE = "being made"
"""In place of the identity of a lab: whichever is there was begun for the lesson, and not finished."""


@frozen
class StepProgress:
    """What is known of one step; times are seconds since the epoch, 0 for what has not happened."""

    name: str
    began: float = 0.0
    done: float = 0.0
    seconds: float = 0.0  # for which the student was at it, in all, until it was over
    hints: int = 0
    skipped: bool = False
    predicted: str = ""
    reached: tuple[str, ...] = ()  # the goals that stay reached: answers, what was typed, packets that were seen

    @property
    def over(self) -> bool:
        """Return whether the step was done or skipped."""
        return bool(self.done) or self.skipped


@frozen
class Progress:
    """How far a student is in a lesson; `step` is the number of the current step, from 0."""

    lesson: str
    seed: int
    lab: str
    steps: tuple[StepProgress, ...]
    step: int = 0
    since: float = 0.0  # when the current step began
    lab_id: str = ""  # which running lab it is in: another one of that name is not the student's lesson; BEING_MADE

    @property
    def of(self) -> int:
        """Return how many steps the lesson has."""
        return len(self.steps)

    @property
    def current(self) -> StepProgress:
        """Return the current step."""
        return self.steps[self.step]

    @property
    def finished(self) -> bool:
        """Return whether all steps are over."""
        return all(step.over for step in self.steps)

    @property
    def written(self) -> dict[str, Any]:
        """Return it as it is kept."""
        return {**asdict(self), "of": self.of}

    def with_current(self, step: StepProgress) -> Progress:
        """Return the same with another current step."""
        steps = (*self.steps[: self.step], step, *self.steps[self.step + 1 :])
        return replace(self, steps=steps)

    def fits(self, names: Iterable[str]) -> bool:
        """Return whether it is of a lesson with these steps: an edited lesson is begun anew."""
        return [step.name for step in self.steps] == list(names)


def begun(lesson: str, seed: int, lab: str, names: Iterable[str]) -> Progress:
    """Return the progress of one who has just begun."""
    return Progress(lesson, seed, lab, tuple(map(StepProgress, names)))


@frozen
class Folder:
    """Where progress is kept."""

    path: Path = field(default_factory=lambda: default_path())

    def read(self, lesson: str) -> Progress | None:
        """Return the progress of a lesson; None where there is none, or what is there is damaged."""
        try:
            with self._file(lesson).open("rb") as file:
                return _parsed(json.loads(file.read(LARGEST)))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def write(self, progress: Progress) -> None:
        """Keep the progress of a lesson. Raise MachineError where it cannot be."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_text(self._file(progress.lesson), json.dumps(progress.written, indent=1))
        except OSError as error:
            raise self._cannot_be_kept(error) from None

    @contextmanager
    def opened(self, lesson: str) -> Iterator[None]:
        """Keep a lesson for this process. Raise UsageError where another one has it open.

        The lock is that of fcntl(2): what is forked from here does not have it, and it ends with this process.
        """
        file = self.path / f".{lesson}.lock"
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = file.open("ab+", buffering=0)
        except OSError as error:
            raise self._cannot_be_kept(error) from None
        with lock:
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                lock.truncate(0)
                lock.write(str(os.getpid()).encode())
            except (BlockingIOError, PermissionError):  # another one has it: EAGAIN or EACCES, says fcntl(2)
                lock.seek(0)
                why = f"it is process {lock.read(20).decode() or 'that has just begun'}"
                hint = "go on there, or leave it there with the key q"
                raise UsageError(f"the lesson {lesson} is open in another terminal", why, hint) from None
            except OSError as error:
                raise self._cannot_be_kept(error) from None
            yield
            lock.truncate(0)

    def lesson_in(self, lab_id: str) -> str:
        """Return the lesson whose lab is this one; empty where it is that of none."""
        lessons = [path.stem for path in self.path.glob("*.json")]
        return next((each for each in lessons if (found := self.read(each)) and found.lab_id == lab_id), "")

    def forget(self, lesson: str) -> None:
        """Forget the progress of a lesson."""
        self._file(lesson).unlink(missing_ok=True)

    def _cannot_be_kept(self, error: OSError) -> MachineError:
        hint = "set XDG_STATE_HOME to a directory of your own"
        return MachineError(f"progress cannot be kept in {self.path}", kernel_words(error), hint)

    def _file(self, lesson: str) -> Path:
        return self.path / f"{lesson}.json"


def default_path() -> Path:
    """Return where the progress of this user is kept."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(state, "labctl", "learn")


def _parsed(written: dict[str, Any]) -> Progress:
    steps = tuple(StepProgress(**{**step, "reached": tuple(step["reached"])}) for step in written.pop("steps"))
    written.pop("of")
    found = Progress(**written, steps=steps)
    if not steps or not 0 <= found.step < len(steps):
        raise ValueError("no such step")
    return found
