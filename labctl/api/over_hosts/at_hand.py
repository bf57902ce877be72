"""A lab over hosts at hand for its checks: what is asked of it, each host is asked about what is there.

Other commands that make checks of the lab wait as long. What is known of a part of a lab is no evidence, so a host that
is lost is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TypeVar, TypeVarTuple

from labctl.api.over_hosts.conversation import Conversation
from labctl.api.over_hosts.sessions import Sessions
from labctl.api.work import parts
from labctl.hosts.record import Record
from labctl.lab.at_hand import AtHand

About = TypeVarTuple("About")
Answer = TypeVar("Answer")


class LabAtHand(Conversation):
    """All hosts of a lab. A question is a method of AtHand, with its arguments."""

    def __init__(self, record: Record, found: Sessions) -> None:
        super().__init__(found)
        self.hosts: Mapping[str, str] = record.namespaces
        """The host of each namespace."""

    def ask(self, host: str, asked: Callable[[AtHand, *About], Answer], *about: *About) -> Answer:
        """Return the answer of one host. Raise LabError."""
        return self.each(asked, {host: about})[host]

    def all(self, asked: Callable[[AtHand], Answer]) -> dict[str, Answer]:
        """Return the answers of all hosts to one question. Raise LabError."""
        return self.each(asked, dict.fromkeys(self.hosts.values(), ()))

    def all_reached(self, asked: Callable[[AtHand], Answer]) -> dict[str, Answer]:
        """Return the answers of the hosts that are reached to one question. Raise LabError."""
        return self.each_reached(asked, dict.fromkeys(self.reached, ()))

    def each_reached(self, asked: Callable[..., Answer], about: Mapping[str, tuple[object, ...]]) -> dict[str, Answer]:
        """Return the answers as `each` does, of the hosts that are reached."""
        return super().each(asked, {host: words for host, words in about.items() if host in self.reached})

    def each(self, asked: Callable[..., Answer], about: Mapping[str, tuple[object, ...]]) -> dict[str, Answer]:
        """Return the answer of each host to a question about something else. Raise LabError, also of one that is lost.

        One that is lost is not asked, nor are the others then.
        """
        self._need(about)
        answers = super().each(asked, about)
        self._need(about)
        return answers

    def _need(self, hosts: Mapping[str, object]) -> None:
        for host, error in self.lost.items():
            if host in hosts:
                raise error


@contextmanager
def at_hand(record: Record, found: Sessions) -> Iterator[LabAtHand]:
    """Yield a lab over hosts at hand. Raise LabError.

    It is begun with each host that is reached in its turn, in one order for all commands, so that no two wait for one
    another.
    """
    made = LabAtHand(record, found)
    try:
        for host in sorted(found.reached):
            made.begin({host: partial(parts.converse, record.lab)}, str)
        yield made
    finally:
        made.end()
