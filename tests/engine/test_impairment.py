"""The impairments as people write them, as numbers, and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.engine.packets.impairment import (
    Impairment,
    format_chance,
    format_rate,
    format_time,
    parse_chance,
    parse_rate,
    parse_time,
    read,
    show,
)

untimed = settings(deadline=None)  # no test here looks at a clock, so neither does hypothesis
CHANCES = st.floats(0, 1)


@st.composite
def impairments(draw: st.DrawFn) -> Impairment:
    delay = draw(st.floats(0, 1e9))
    return Impairment(
        delay=delay,
        jitter=draw(st.floats(0, delay)),
        loss=draw(CHANCES),
        duplicate=draw(CHANCES),
        corrupt=draw(CHANCES),
        reorder=draw(CHANCES) if delay else 0.0,
        rate=draw(st.integers(0, 2**64 - 1)),
        seed=draw(st.none() | st.integers(0, 2**64 - 1)),
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("50ms", 0.05),
        ("1.5s", 1.5),
        ("200us", 0.0002),
        ("7ns", 7e-9),
        ("0", 0.0),
        ("0s", 0.0),
        (" 3 MSECS ", 0.003),
        ("2sec", 2.0),
        ("2usecs", 2e-6),
        (".5s", 0.5),
    ],
)
def test_a_time_is_read(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize(("text", "fraction"), [("10%", 0.1), ("0.1", 0.1), ("0", 0.0), ("100%", 1.0), ("0.01%", 1e-4)])
def test_a_chance_is_read(text: str, fraction: float) -> None:
    assert parse_chance(text) == fraction


@pytest.mark.parametrize(
    ("text", "rate"),
    [("10mbit", 10**7), ("512kbit", 512_000), ("1gbit", 10**9), ("1.5Mbit", 1_500_000), ("9600", 9600), ("0", 0)],
)
def test_a_rate_is_read(text: str, rate: int) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    ("word", "value", "why"),
    [
        ("delay", "100", "delay: '100' has no unit: write 100ms or 100s"),
        ("delay", "-5ms", "not a time such as 50ms"),
        ("delay", "1e3s", "not a time such as 50ms"),
        ("delay", "5 minutes", "the units are s, ms, us and ns"),
        ("delay", "\u0665s", "not a time such as 50ms"),
        ("loss", "10", "could be a fraction or percent: write 10%"),
        ("loss", "1", "could be a fraction or percent: write 1%"),
        ("loss", "10ms", "not a chance: write 10% or 0.1"),
        ("rate", "10mbps", "bytes to tc and is bits to most people: write 10mbit or 80mbit"),
        ("rate", "10mhz", "the units are bit, kbit, mbit, gbit and tbit"),
        ("rate", "0.5bit", "not a whole number of bits"),
        ("rate", 0.5, "not a whole number"),
        ("rate", math.inf, "not a whole number"),
        ("delay", 10**400, "delay: the number is too large"),
        ("seed", "-1", "not a whole number"),
        ("seed", "yes", "not a whole number"),
        ("loss", True, "loss: True is not a number"),
        ("loss", None, "None is not a number"),
        ("dealy", "1s", "'dealy' is no impairment: did you mean delay?"),
        ("colour", "red", "'colour' is no impairment: delay, jitter, loss, duplicate, corrupt, reorder, rate, seed"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(word: str, value: object, why: str) -> None:
    with pytest.raises(ValueError) as refused:
        read(word, value)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"delay": -1.0}, "delay must be 0 or more seconds"),
        ({"delay": math.inf}, "delay must be 0 or more seconds"),
        ({"delay": math.nan}, "delay must be 0 or more seconds"),
        ({"delay": 2.0**33}, r"delay must be 0 or more seconds, and less than 2\^33"),
        ({"jitter": math.nan}, "jitter must be 0 or more seconds"),
        ({"loss": 1.1}, "loss must be from 0% to 100%"),
        ({"duplicate": -0.1}, "duplicate must be from 0% to 100%"),
        ({"corrupt": math.nan}, "corrupt must be from 0% to 100%"),
        ({"rate": -1}, "rate must be 0"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"seed": 2**64}, "seed must be a whole number"),
        ({"delay": "5ms", "jitter": "10ms"}, "jitter 10ms is more than delay 5ms"),
        ({"reorder": "25%"}, "reorder needs a delay"),
    ],
)
def test_what_cannot_be_is_refused_in_words(values: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Impairment.from_dict(values)


@untimed
@given(st.floats(0, allow_infinity=False))
def test_every_time_is_read_back_as_it_was_written(seconds: float) -> None:
    assert parse_time(format_time(seconds)) == seconds


@untimed
@given(CHANCES)
def test_every_chance_is_read_back_as_it_was_written(fraction: float) -> None:
    assert parse_chance(format_chance(fraction)) == fraction


@untimed
@given(st.integers(0, 2**64 - 1))
def test_every_rate_is_read_back_as_it_was_written(rate: int) -> None:
    assert parse_rate(format_rate(rate)) == rate


@untimed
@given(impairments())
def test_json_and_text_give_the_same_impairment_back(impairment: Impairment) -> None:
    numbers = json.loads(json.dumps(impairment.as_dict()))
    assert Impairment.from_dict(numbers) == impairment
    texts = {word: show(word, value) for word, value in numbers.items() if value is not None}
    assert Impairment.from_dict(texts) == impairment


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, "none"),
        ({"delay": 0.05, "jitter": 0.01, "loss": 0.1}, "delay 50ms jitter 10ms loss 10%"),
        ({"delay": 1.5, "reorder": 0.25, "rate": 512_000, "seed": 0}, "delay 1.5s reorder 25% rate 512kbit seed 0"),
        ({"rate": 10_000_000_000}, "rate 10gbit"),
    ],
)
def test_an_impairment_says_what_it_does(values: dict[str, object], text: str) -> None:
    assert str(Impairment.from_dict(values)) == text


def test_what_is_not_named_stays() -> None:
    before = Impairment(delay=0.05, loss=0.1, seed=7)
    assert before.merged({"delay": "20ms", "rate": "1mbit"}) == Impairment(delay=0.02, loss=0.1, rate=10**6, seed=7)
    assert before.merged({}) == before
    assert before.merged({"seed": None}).seed is None


def test_a_change_is_judged_by_what_comes_of_it() -> None:
    with pytest.raises(ValueError, match="reorder needs a delay"):
        Impairment(delay=0.05, reorder=0.5).merged({"delay": "0s"})


@pytest.mark.parametrize("word", ["delay", "loss", "duplicate", "corrupt", "rate"])
def test_any_impairment_is_more_than_none(word: str) -> None:
    assert Impairment(seed=7).is_none
    assert not Impairment.from_dict({word: 1}).is_none


def test_an_impairment_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Impairment().loss = 0.5  # type: ignore[misc]
