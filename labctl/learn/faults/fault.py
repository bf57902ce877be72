"""What a fault is: where it can be in a lab, what is done there, what it shows as, and what mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Literal

from labctl.diagnosis.reasons import Reason
from labctl.frozen import frozen
from labctl.learn.changes import Action
from labctl.learn.faults.layout import Layout

Level = Literal[1, 2, 3]
"""1: one look at links, addresses, routes or engines shows it; 2: it takes knowing where to look; 3: it misleads."""

LEVELS: tuple[Level, ...] = (1, 2, 3)

Accepted = frozenset[tuple[str, Reason]]
"""Hops with reasons, of which a diagnosis that is right names one."""


@frozen
class Injected:
    """A fault at one place of a lab: the changes that make it, and those of one way to mend it."""

    changes: tuple[Action, ...]
    solve: tuple[Action, ...]
    check: str  # a check that fails for it
    expected: Accepted


@frozen
class Fault:
    """A fault. `places` yields all that it can be in a lab, in a fixed order; nothing where the lab is not for it.

    `words` say what it is, once it is found. `needs` are programs without which it cannot be made. `pairs` says whether
    it may be one of two: with a link that goes down the kernel takes away what another fault may be about.
    """

    name: str
    level: Level
    words: str
    places: Callable[[Layout], Iterator[Injected]]
    needs: tuple[str, ...] = ("ip",)
    pairs: bool = True


def at(*hops: str, why: Reason | tuple[Reason, ...]) -> Accepted:
    """Return every one of these reasons at every one of these hops; `siteA:wan0` stands for `siteA` as well."""
    reasons = (why,) if isinstance(why, Reason) else why
    spaces = (hop.partition(":")[0] for hop in hops)
    return frozenset(product((*hops, *spaces), reasons))


def exactly(hop: str, why: Reason) -> Accepted:
    """Return this reason at this hop."""
    return frozenset({(hop, why)})


def as_level(number: int) -> Level:
    """Return a level. Raise ValueError where there is none of that number."""
    for level in LEVELS:
        if level == number:
            return level
    raise ValueError(number)
