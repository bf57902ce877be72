"""A conversation with each host of a lab: one piece of work there, which answers questions for a whole command.

To be asked so costs a host no process, and it looks on meanwhile: taps and counters stay open from one question to the
next. Other commands that make checks of the lab wait as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

from labctl.api.over_hosts.sessions import Sessions, Task
from labctl.api.work import parts
from labctl.errors import LabError
from labctl.hosts.annotations import fits, result_of
from labctl.hosts.errors import at, speaks_otherwise
from labctl.hosts.record import Record
from labctl.lab.at_hand import AtHand

About = TypeVarTuple("About")
Answer = TypeVar("Answer")


class Conversation:
    """The hosts of a lab. A question is a method of AtHand, with its arguments."""

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

    def ask(self, host: str, asked: Callable[[AtHand, *About], Answer], *about: *About) -> Answer:
        """Return the answer of one host. Raise LabError."""
        return self.each(asked, {host: about})[host]

    def all(self, asked: Callable[[AtHand, *About], Answer], *about: *About) -> dict[str, Answer]:
        """Return the answers of all hosts to one question. Raise LabError."""
        return self.each(asked, dict.fromkeys(self._tasks, about))

    def each(self, asked: Callable[..., Answer], about: Mapping[str, tuple[object, ...]]) -> dict[str, Answer]:
        """Return the answer of each host to a question about something else. Raise the LabError of one that has none.

        All are waited for, so that none answers an earlier question later.
        """
        for host, words in about.items():
            self.sessions.tell(self._tasks[host], (asked, *words))
        told: dict[str, Any] = {}
        self.sessions.until(lambda: all(host in told or self._tasks[host].over for host in about), told.__setitem__)
        return {host: self._answer(host, asked, told) for host in about}

    def _answer(self, host: str, asked: Callable[..., Answer], told: Mapping[str, Any]) -> Answer:
        if host not in told:
            _ = self._tasks[host].result  # which raises what has ended it
            raise LabError(f"{host} has not answered")
        answer: Answer = told[host]
        if isinstance(answer, LabError):
            raise at(host, answer)
        if not fits(answer, result_of(asked)):
            raise speaks_otherwise(host, f"its answer to {asked.__name__} is of type {type(answer).__name__}")
        return answer


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
