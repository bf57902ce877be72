"""A conversation with hosts: one piece of work on each, which answers questions for a whole command.

To be asked so costs a host no process, and it looks on meanwhile: taps and counters stay open from one question to the
next. A host that is lost answers no more, takes nothing away from what it has told, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Set
from contextlib import suppress
from time import time_ns
from typing import Any, TypeVar

from labctl.api import agent
from labctl.api.caller import Work
from labctl.api.over_hosts.sessions import Sessions
from labctl.api.over_hosts.task import Task
from labctl.errors import LabError
from labctl.hosts.annotations import fits, result_of
from labctl.hosts.errors import HostLost, at, speaks_otherwise
from labctl.trace.clocks import Reading

Answer = TypeVar("Answer")

ROUND_TRIPS = 5
"""How often a host is asked for its time: the quickest answer says most."""

READ_AGAIN = 10.0
"""Seconds after which the clocks are read again, where something goes on for long."""


class Conversation:
    """Hosts on which work answers (api.caller.answer). A question is a method of what it is about, with arguments."""

    def __init__(self, found: Sessions) -> None:
        self.sessions = found
        self._tasks: dict[str, Task[None]] = {}
        self._never = {host: error for host, error in found.lost.items() if isinstance(error, HostLost)}

    def begin(self, works: Mapping[str, Work[None]], kind: object) -> dict[str, Any]:
        """Begin work on hosts that are reached. Return what each tells before it is asked, as `told` does."""
        self._tasks |= {host: self.sessions.start(host, work) for host, work in works.items()}
        return self.told(kind, works)

    @property
    def reached(self) -> Set[str]:
        """Return the hosts that answer."""
        return self._tasks.keys() - self.lost.keys()

    @property
    def lost(self) -> dict[str, HostLost]:
        """Return the hosts that answer no more, or never did."""
        lost = {host: task.error for host, task in self._tasks.items() if isinstance(task.error, HostLost)}
        return {**self._never, **lost}

    def told(self, kind: object, hosts: Collection[str]) -> dict[str, Any]:
        """Wait until each of some hosts has told one thing of a kind. Return it, of those that are not lost.

        All are waited for, so that none answers an earlier question later. Raise the LabError that is an answer, or
        that has ended the work of a host that is not lost.
        """
        asked = {host: self._tasks[host] for host in hosts}
        heard: dict[str, Any] = {}

        def hear(task: Task[Any], what: Any) -> None:
            if asked.get(task.host) is task:
                heard.setdefault(task.host, what)

        self.sessions.until(lambda: all(host in heard or task.over for host, task in asked.items()), hear)
        for host, task in asked.items():
            if host not in heard and not isinstance(task.error, HostLost):
                _ = task.result
                raise LabError(f"labctl on {host} ended its work before it was done")
        for host, what in heard.items():
            if isinstance(what, LabError):
                raise at(host, what)
            if not fits(what, kind):
                raise speaks_otherwise(host, f"what it tells is of type {type(what).__name__}")
        return heard

    def say(self, what: object) -> None:
        """Tell all something that they wait for."""
        for task in self._tasks.values():
            if not task.over:
                self.sessions.tell(task, what)

    def each(self, asked: Callable[..., Answer], about: Mapping[str, tuple[object, ...]]) -> dict[str, Answer]:
        """Return the answer of each host to a question about something else, of those that are not lost, as `told`."""
        for host, words in about.items():
            self.sessions.tell(self._tasks[host], (asked, *words))
        return self.told(result_of(asked), about.keys())

    def readings(self) -> dict[str, list[Reading]]:
        """Ask each host that is not lost for its time, several times."""
        found: dict[str, list[Reading]] = {}
        for host, task in self._tasks.items():
            with suppress(HostLost):
                found[host] = readings_of(task) if not task.over else []
        return {host: readings for host, readings in found.items() if readings}

    def end(self) -> None:
        """Ask nothing more."""
        self.say(None)


def readings_of(task: Task[None]) -> list[Reading]:
    """Ask the host of some work for its time, several times. Raise HostLost."""
    return [_reading(task) for _ in range(ROUND_TRIPS)]


def _reading(task: Task[None]) -> Reading:
    asked = time_ns()
    told: int = task.link.call(agent.clock)
    return Reading(asked, told, time_ns())
