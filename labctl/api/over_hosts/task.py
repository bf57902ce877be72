"""Work on a host: what it is, and what is heard of it."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from labctl.api.caller import Work
from labctl.errors import LabError
from labctl.hosts import answers
from labctl.hosts.annotations import fits, result_of
from labctl.hosts.errors import at
from labctl.hosts.link import Link

Result = TypeVar("Result")

Aside = queue.SimpleQueue[tuple["Task[Any]", str, Any]]
"""The queue of a thread that does not hear hosts itself: its tasks, each with what `Task.hear` is called with."""


class Task(Generic[Result]):
    """Some work on a host."""

    def __init__(self, link: Link, number: int, work: Work[Result], aside: Aside | None) -> None:
        self.host = link.host
        self._work = work
        self.link = link
        self.number = number
        self.aside = aside
        self.over = False  # whether its result or its error is there
        self.settled = False  # whether what it made lasts, or is taken back
        self.error: LabError | None = None
        self._result: Any = None

    @property
    def result(self) -> Result:
        """Return what came of it. Raise what it raised, with the name of the host in front."""
        if self.error is not None:
            raise self.error
        result: Result = self._result
        return result

    def hear(self, kind: str, what: Any) -> None:
        """Hear what the host says of it. Raise NotPlain where its result is none of this work."""
        if kind == "result":
            if not fits(what, result_of(self._work)):
                raise answers.NotPlain(f"its result is of type {type(what).__name__}")
            self._result, self.over = what, True
        elif kind == "failed":
            self.fail(at(self.host, what))
        elif kind == "settled":
            self.settled = True

    def fail(self, error: LabError) -> None:
        """Have nothing more come of it."""
        if not self.settled:
            self.error = error
        self.over = self.settled = True


Tell = Callable[[Task[Any], Any], object]
"""Called with some work and what it tells."""

SILENTLY: Tell = lambda task, what: None  # noqa: E731
