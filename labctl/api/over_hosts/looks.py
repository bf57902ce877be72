"""What hosts see of packets: work on each that looks on, and answers one question after the other.

A host that is lost in the middle takes nothing away from what it has told, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from time import time_ns
from typing import Any

from labctl.api import agent
from labctl.api.caller import Work
from labctl.api.over_hosts.sessions import Sessions, Task
from labctl.errors import LabError
from labctl.hosts.annotations import fits
from labctl.hosts.errors import HostLost, speaks_otherwise
from labctl.trace.clocks import Reading

Question = Callable[[Any], object]
"""Called on a host with what it is asked about."""

ROUND_TRIPS = 5
"""How often a host is asked for its time: the quickest answer says most."""


class Looks:
    """Work on each of some hosts. A host that is lost answers no more; what else ends its work is raised."""

    def __init__(self, found: Sessions, works: Mapping[str, Work[None]]) -> None:
        self._found = found
        self._tasks: dict[str, Task[None]] = {host: found.start(host, work) for host, work in works.items()}

    @property
    def lost(self) -> dict[str, HostLost]:
        """Return the hosts that answer no more."""
        return {host: task.error for host, task in self._tasks.items() if isinstance(task.error, HostLost)}

    def told(self, kind: object, hosts: Iterable[str] | None = None) -> dict[str, Any]:
        """Wait until each has told one thing of a kind. Return it, of the hosts that are not lost. Raise LabError."""
        asked = {host: self._tasks[host] for host in (self._tasks if hosts is None else hosts)}
        heard: dict[str, Any] = {}
        self._found.until(lambda: all(host in heard or task.over for host, task in asked.items()), heard.setdefault)
        for host, task in asked.items():
            if host not in heard and not isinstance(task.error, HostLost):
                _ = task.result
                raise LabError(f"labctl on {host} ended its work before it was done")
        for host, what in heard.items():
            if not fits(what, kind):
                raise speaks_otherwise(host, f"what it tells is of type {type(what).__name__}")
        return heard

    def say(self, what: object) -> None:
        """Tell all something that they wait for."""
        for task in self._tasks.values():
            self._found.tell(task, what)

    def ask(self, questions: Mapping[str, Question], kind: object) -> dict[str, Any]:
        """Put a question to hosts, each its own, at once. Return the answers of those that are not lost."""
        for host, question in questions.items():
            self._found.tell(self._tasks[host], question)
        return self.told(kind, questions)

    def readings(self) -> dict[str, list[Reading]]:
        """Ask each host that is not lost for its time, several times."""
        found: dict[str, list[Reading]] = {}
        for host, task in self._tasks.items():
            with suppress(HostLost):
                found[host] = [_reading(task) for _ in range(ROUND_TRIPS)] if not task.over else []
        return {host: readings for host, readings in found.items() if readings}

    def leave(self) -> None:
        """End the work, and wait until it has ended."""
        self.say(None)
        self._found.wait(self._tasks.values())
        self._found.settle(self._tasks.values(), keep=True)


def _reading(task: Task[None]) -> Reading:
    asked = time_ns()
    told: int = task.link.call(agent.clock)
    return Reading(asked, told, time_ns())
