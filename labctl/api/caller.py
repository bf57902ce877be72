"""What a piece of work knows of who has asked for it.

The command line asks itself: the work is done in its own process. A Python program asks another process (server.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import field
from typing import Any, Protocol, TypeVar

from labctl.errors import LabError
from labctl.frozen import frozen
from labctl.process.child import Tell

Result = TypeVar("Result")


@frozen
class Caller:
    """Who has asked for some work: what it is told, and what it has sent along."""

    tell: Tell = lambda _: None
    hear: Callable[[], Any] = lambda: None  # waits for what the caller says while the work is done
    line: int = -1  # readable once the caller says something, or nothing any more
    descriptors: Sequence[int] = ()
    until_the_end: ExitStack = field(default_factory=ExitStack)  # what is to hold until the process that works ends
    if_received: list[Callable[[], object]] = field(default_factory=list)  # what makes the result last
    unless_received: list[Callable[[], object]] = field(default_factory=list)  # what takes it back


Work = Callable[[Caller], Result]
"""Some work, as it can be sent to another process."""


def answer(about: object, hear: Callable[[], Any], tell: Tell) -> None:
    """Tell the answers to what is heard about something: a method of it with arguments, until that is None.

    A LabError is an answer.
    """
    while (question := hear()) is not None:
        asked, *words = question
        tell(answered(asked, about, *words))


def answered(asked: Callable[..., Result], *about: object) -> Result | LabError:
    """Return the answer to a question about something, or the LabError that it raises."""
    try:
        return asked(*about)
    except LabError as error:
        return error


class Worker(Protocol):
    """Who works for the labs of a program."""

    @property
    def usable(self) -> bool:
        """Return whether it can be asked for anything."""

    def do(self, work: Work[Result], listener: Tell, accept: Callable[[Result], object]) -> Result:
        """Have some work done, and what is told of it heard. Return its result, raise what it raised.

        What it did is taken back where this program ends before `accept` has returned.
        """

    def bind(self, lab: str, end: Work[Any]) -> None:
        """Have a lab end, by this work, when this program ends, however that ends."""

    def free(self, lab: str) -> None:
        """Do not have a lab end when this program ends."""
