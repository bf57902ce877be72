"""The bounds of what a check measures: at least, at most, or both.

A bound is shown by as many trials as it takes, so it has to leave some to show: what is never exceeded by anything,
or by nothing at all, is no bound, and two bounds that are one cannot be told from outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from labctl.engine.packets.impairment import read
from labctl.topology.model.base import Model, key
from labctl.topology.values import mistake, shape

if TYPE_CHECKING:
    from labctl.topology.fields import Delay, Loss, Whole


class Bounds(NamedTuple):
    """Two numbers, in seconds, bits per second, or as a fraction of 1; None where nothing bounds."""

    at_least: float | None
    at_most: float | None


def bounds(word: str, at_least: str | None, at_most: str | None, example: str) -> Bounds:
    """Return the bounds of an impairment's `word`. Raise a mistake where they are none, or no number is between."""
    least, most = (None if text is None else float(read(word, text) or 0) for text in (at_least, at_most))
    if least is None and most is None:
        raise mistake(f"the {example.split(':')[0]} has no bound", f"for example {example}")
    if least is not None and most is not None and least >= most:
        raise mistake(f"nothing is at least {at_least} and at most {at_most}", "leave more between the two")
    return Bounds(least, most)


def _bounded(key: str, written: Any) -> Any:
    if isinstance(written, dict):
        return written
    what = f"{key!r} must be a mapping (KEY: VALUE), found {shape(written)}"
    raise mistake(what, f"for example {key}: {{at_most: {written}}}")


class LossBounds(Model, called="a loss"):
    """The fraction of echo requests that get no reply in time."""

    at_least: Loss | None = key(default=None, description="The smallest fraction that is lost.", examples=["5%"])
    at_most: Loss | None = key(default=None, description="The largest.", examples=["5%"])

    @classmethod
    def in_full(cls, written: Any) -> Any:
        """Return it as it is written. Raise a mistake where it is no mapping."""
        return _bounded("loss", written)

    def __post_init__(self) -> None:
        least, most = self.bounds
        if most == 0:
            raise mistake("no number of replies shows that none is ever lost", "without `loss` every reply has to come")
        if least == 0 or most == 1:
            raise mistake("every loss is from 0% to 100%", "for example loss: {at_most: 5%}")
        if least == 1:
            raise mistake("no number of requests shows that all are ever lost", "write expect: no-reply")

    @property
    def bounds(self) -> Bounds:
        """Return the fractions of 1."""
        return bounds("loss", self.at_least, self.at_most, "loss: {at_most: 5%}")


class RttBounds(Model, called="a round-trip time"):
    """The round-trip time of echo requests that got their reply."""

    percentile: Whole = key(default=50, ge=1, le=99, description="Which percentile of the times; 50 is their median.")
    at_least: Delay | None = key(default=None, description="The shortest time that it may be.", examples=["20ms"])
    at_most: Delay | None = key(default=None, description="The longest.", examples=["20ms"])

    @classmethod
    def in_full(cls, written: Any) -> Any:
        """Return it as it is written. Raise a mistake where it is no mapping."""
        return _bounded("rtt", written)

    def __post_init__(self) -> None:
        if 0 in self.bounds:
            raise mistake("a round-trip time is more than 0", "for example rtt: {at_most: 20ms}")

    @property
    def bounds(self) -> Bounds:
        """Return the times in seconds."""
        return bounds("delay", self.at_least, self.at_most, "rtt: {at_most: 20ms}")
