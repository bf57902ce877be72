"""A conversation with each host of a lab: one piece of work there, which answers questions for a whole command.

To be asked so costs a host no process, and it looks on meanwhile: taps and counters stay open from one question to the
next. Other commands that make checks of the lab wait as long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from labctl.api.over_hosts.sessions import Sessions, Task
from labctl.api.work import parts
from labctl.errors import LabError
from labctl.hosts.errors import at
from labctl.hosts.record import Record


class Conversation:
    """The hosts of a lab, asked what `lab.at_hand.AtHand` answers."""

    def __init__(self, record: Record, found: Sessions) -> None:
        self.sessions = found
        self.hosts: Mapping[str, str] = record.namespaces
        """The host of each namespace."""
        self._tasks: dict[str, Task[None]] = {}

    @property
    def all_hosts(self) -> Sequence[str]:
        """Return the hosts that are asked."""
        return [*self._tasks]

    def begin(self, lab: str, host: str) -> None:
        """Begin with a host; wait until no other command makes checks there. Raise LabError."""
        self._tasks[host] = task = self.sessions.start(host, partial(parts.converse, lab))
        if self.sessions.first_told(task) is None:
            _ = task.result  # which raises what kept it from that

    def end(self) -> None:
        """Ask nothing more."""
        for task in self._tasks.values():
            if not task.over:
                self.sessions.tell(task, None)

    def ask(self, host: str, asked: str, *about: object) -> Any:
        """Return the answer of one host. Raise LabError."""
        return self.each(asked, {host: about})[host]

    def all(self, asked: str, *about: object) -> dict[str, Any]:
        """Return the answers of all hosts to one question. Raise LabError."""
        return self.each(asked, dict.fromkeys(self._tasks, about))

    def each(self, asked: str, about: Mapping[str, tuple[object, ...]]) -> dict[str, Any]:
        """Return the answer of each host to its own question. Raise the LabError of the first that has none."""
        for host, words in about.items():
            self.sessions.tell(self._tasks[host], (asked, *words))
        answers: dict[str, Any] = {}
        self.sessions.until(
            lambda: all(host in answers or self._tasks[host].over for host in about), answers.__setitem__
        )
        for host in about:
            if host not in answers:
                _ = self._tasks[host].result
                raise LabError(f"{host} has not answered")
            if isinstance(answers[host], LabError):
                raise at(host, answers[host])
        return answers


@contextmanager
def conversation(record: Record, found: Sessions) -> Iterator[Conversation]:
    """Yield a conversation with all hosts of a lab.

    It is begun with each in its turn, in one order for all commands, so that no two wait for one another.
    """
    made = Conversation(record, found)
    try:
        for host in sorted(record.hosts):
            made.begin(record.lab, host)
        yield made
    finally:
        made.end()
