"""Impairments of a link, in the words of `tc netem`, as numbers and as text.

Inside, a time is seconds, a chance is a fraction of 1, a rate is whole bits per second, and 0 means "not
at all" (so does `rate 0` in netem). Outside they are `50ms`, `10%` and `10mbit`. Decimal arithmetic lies
between the two, so that what is written is read back as the very same number.

Three notations mean one thing to `tc` and another to most users: a time without a unit (`tc`:
microseconds), a chance without a percent sign (`tc`: `0.1` is a tenth of a percent) and `mbps` (`tc`:
mega*bytes*). The first and the last are refused with both readings named. A bare chance is a fraction,
and must look like one: `1` is refused, since half of those who write it mean 1 %.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from difflib import get_close_matches

_TIME = {"s": Decimal(1), "ms": Decimal("1e-3"), "us": Decimal("1e-6"), "ns": Decimal("1e-9")}
_RATE = {"tbit": 10**12, "gbit": 10**9, "mbit": 10**6, "kbit": 10**3, "bit": 1}
_ALIASES = {"sec": "s", "secs": "s", "msec": "ms", "msecs": "ms", "usec": "us", "usecs": "us", "nsecs": "ns"}
_TEXT = re.compile(r"([0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})\s*([a-z%]*)")


def parse_time(text: str) -> float:
    """Return the seconds that `50ms`, `1.5s` or `200us` is. Raise ValueError if the text is no time."""
    number, unit = _split(text, "a time such as 50ms or 1.5s")
    if not unit and number:
        raise ValueError(f"{text!r} has no unit: write {text.strip()}ms or {text.strip()}s")
    unit = _ALIASES.get(unit, unit) or "s"
    if unit not in _TIME:
        raise ValueError(f"{text!r} is not a time: the units are s, ms, us and ns")
    return float(number * _TIME[unit])


def format_time(seconds: float) -> str:
    """Return the text that `parse_time` reads as this number of seconds."""
    exact = Decimal(repr(float(seconds)))
    unit = next((unit for unit, scale in _TIME.items() if exact >= scale), "ns") if exact else "s"
    return _plain(exact / _TIME[unit]) + unit


def parse_chance(text: str) -> float:
    """Return the fraction of 1 that `10%` or `0.1` is. Raise ValueError if the text is no chance."""
    number, unit = _split(text, "a chance such as 10% or 0.1")
    if unit not in ("", "%"):
        raise ValueError(f"{text!r} is not a chance: write 10% or 0.1")
    if number > 100:
        raise ValueError(f"{text!r} is more than 100%")
    if not unit and number >= 1:
        raise ValueError(f"{text!r} could be a fraction or percent: write {text.strip()}%")
    return float(number / 100 if unit else number)


def format_chance(fraction: float) -> str:
    """Return the text that `parse_chance` reads as this fraction of 1."""
    return _plain(Decimal(repr(float(fraction))) * 100) + "%"


def parse_rate(text: str) -> int:
    """Return the bits per second that `10mbit` or a bare number is. Raise ValueError if the text is no rate."""
    number, unit = _split(text, "a rate such as 10mbit or 512kbit")
    if unit in ("bps", "kbps", "mbps", "gbps", "tbps"):
        prefix = unit[:-3]
        raise ValueError(
            f"{text!r} would be bytes to tc and is bits to most people:"
            f" write {_plain(number)}{prefix}bit or {_plain(number * 8)}{prefix}bit"
        )
    if (unit or "bit") not in _RATE:
        raise ValueError(f"{text!r} is not a rate: the units are bit, kbit, mbit, gbit and tbit")
    rate = number * _RATE[unit or "bit"]
    if rate != int(rate):
        raise ValueError(f"{text!r} is not a whole number of bits per second")
    return int(rate)


def format_rate(rate: int) -> str:
    """Return the text that `parse_rate` reads as this number of bits per second."""
    unit = next((unit for unit, scale in _RATE.items() if rate >= scale), "bit")
    return _plain(Decimal(rate) / _RATE[unit]) + unit


@dataclass(frozen=True, slots=True)
class Impairment:
    """What happens to the packets of one direction. Raise ValueError for values that cannot be.

    Times in seconds, chances as fractions of 1, rate in bits per second; 0 is "not at all".
    """

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    reorder: float = 0.0
    rate: int = 0
    seed: int | None = None

    def __post_init__(self) -> None:
        for word in ("delay", "jitter"):
            if not 0 <= getattr(self, word) < 1 << 33:
                raise ValueError(f"{word} must be 0 or more seconds, and less than 2^33, not {getattr(self, word)}")
        for word in ("loss", "duplicate", "corrupt", "reorder"):
            if not 0 <= getattr(self, word) <= 1:
                raise ValueError(f"{word} must be from 0% to 100%, not {getattr(self, word)}")
        # The bounds are those of tc's own 64-bit fields; they also keep the arithmetic exact.
        if not 0 <= self.rate < 1 << 64:
            raise ValueError(f"rate must be 0 (no limit) or more bits per second, not {self.rate}")
        if self.seed is not None and not 0 <= self.seed < 1 << 64:
            raise ValueError(f"seed must be a whole number from 0 to 2^64 - 1, not {self.seed}")
        if self.jitter > self.delay:
            raise ValueError(
                f"jitter {format_time(self.jitter)} is more than delay {format_time(self.delay)}:"
                " a packet cannot leave before it came"
            )
        if self.reorder and not self.delay:
            raise ValueError("reorder needs a delay: a packet that goes at once overtakes those that wait")

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Impairment:
        """Return the inverse of `as_dict`; a value may also be text with a unit. Raise ValueError for what is none."""
        return cls().merged(values)

    @classmethod
    def from_text(cls, text: str) -> Impairment:
        """Return what `delay 50ms loss 10%` says, the inverse of `str`. Raise ValueError for other text."""
        words = [] if text.strip() == "none" else text.split()
        if len(words) % 2:
            raise ValueError(f"{text!r} does not give a value to every word: write for example delay 50ms loss 10%")
        return cls.from_dict(dict(zip(words[::2], words[1::2], strict=True)))

    def as_dict(self) -> dict[str, float | int | None]:
        """Return every word with its number, fit for JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def merged(self, changes: Mapping[str, object]) -> Impairment:
        """Return these impairments with the named ones changed. Raise ValueError for a change that cannot be."""
        values: dict[str, object] = {**self.as_dict()}
        values.update((word, read(word, value)) for word, value in changes.items())
        return Impairment(**values)  # type: ignore[arg-type]  # `read` returns the type of each word

    @property
    def is_none(self) -> bool:
        """Whether packets pass unchanged and at once. A seed alone does nothing."""
        return not (self.delay or self.loss or self.duplicate or self.corrupt or self.rate)

    def __str__(self) -> str:
        """Return it as `from_text` reads it, `delay 50ms loss 10%`; `none` if there is no impairment."""
        shown = {
            word: value for word, value in self.as_dict().items() if value or (word == "seed" and value is not None)
        }
        return " ".join(f"{word} {show(word, value)}" for word, value in shown.items()) or "none"


_WORDS = tuple(field.name for field in fields(Impairment))


def read(word: str, value: object) -> float | int | None:
    """Return the number of `value`, a number or text with a unit, for this word. Raise ValueError if it has none."""
    if word not in _WORDS:
        near = get_close_matches(word, _WORDS, 1)
        raise ValueError(f"{word!r} is no impairment: " + (f"did you mean {near[0]}?" if near else ", ".join(_WORDS)))
    if word == "seed" and value in (None, "none"):
        return None
    try:
        if isinstance(value, str):
            return _PARSERS.get(word, parse_chance)(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{value!r} is not a number")
        if word not in ("rate", "seed"):
            return float(value)
        if value != value // 1:
            raise ValueError(f"{value!r} is not a whole number")
        return int(value)
    except ValueError as error:
        raise ValueError(f"{word}: {error}") from None
    except OverflowError:
        raise ValueError(f"{word}: the number is too large") from None


def show(word: str, value: float | int | None) -> str:
    """Return the number of this word as text with its unit."""
    if word == "seed":
        return "none" if value is None else str(value)
    if word == "rate":
        return format_rate(int(value or 0))
    return (format_time if word in ("delay", "jitter") else format_chance)(value or 0.0)


def _parse_seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise ValueError(f"{text!r} is not a whole number from 0 to 2^64 - 1")
    return int(text)


_PARSERS = {"delay": parse_time, "jitter": parse_time, "rate": parse_rate, "seed": _parse_seed}


def _split(text: str, wanted: str) -> tuple[Decimal, str]:
    """Return number and unit, without sign or exponent. Every float fits in the digits. Raise ValueError for others."""
    found = _TEXT.fullmatch(text.strip().lower())
    if not found:
        raise ValueError(f"{text!r} is not {wanted}")
    return Decimal(found[1]), found[2]


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
