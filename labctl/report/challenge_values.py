"""What is told of a challenge, as plain data: for a person (challenge.py), or as JSON."""

from __future__ import annotations

from labctl.frozen import frozen
from labctl.lab.challenge import Challenge


@frozen
class Begun:
    """What is told of a challenge: what its faults show as, what holds in spite of them, and of how many checks."""

    lab: str
    challenge: Challenge
    symptoms: tuple[str, ...]
    works: tuple[str, ...]
    checks: int


@frozen
class Hint:
    """A hint of one of some stages, as labels with words; `check` is one that fails, `cause` the hop and the reason."""

    lab: str
    challenge: Challenge
    stage: int
    of: int
    check: str
    words: tuple[tuple[str, str], ...]
    cause: tuple[str, str]


@frozen
class Answer:
    """The faults of a challenge: their names, what they are in words, how they were made, and what mends them."""

    lab: str
    challenge: Challenge
    names: tuple[str, ...]
    words: tuple[str, ...]
    made: tuple[str, ...]
    solve: tuple[str, ...]


@frozen
class Listed:
    """A fault that challenges have: of which level, what it is, and the topologies that can have it."""

    name: str
    level: int
    words: str
    topologies: tuple[str, ...]
