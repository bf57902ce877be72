"""Impairments as netem keeps them: what is found is what was asked for, whatever the kernel rounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.packets.impairment import Impairment
from labctl.kernel import netem
from labctl.plan.netem import Netem, as_kept, as_typed

CHANCES = st.floats(0, 1)
TIMES = st.floats(1e-9, 1e6)
NUMBERS = st.builds(
    Netem,
    delay=st.integers(0, 2**62),
    jitter=st.integers(0, 2**62),
    loss=st.integers(0, 2**32 - 1),
    duplicate=st.integers(0, 2**32 - 1),
    corrupt=st.integers(0, 2**32 - 1),
    reorder=st.integers(0, 2**32 - 1),
    rate=st.integers(0, 2**61 - 1),
)


@st.composite
def impairments(draw: st.DrawFn) -> Impairment:
    delay = draw(TIMES)
    jitter = draw(st.floats(0, delay))
    loss, duplicate, corrupt, reorder = (draw(CHANCES) for _ in range(4))
    return Impairment(delay, jitter, loss, duplicate, corrupt, reorder, draw(st.integers(0, 2**64 - 1)))


@given(impairments())
def test_what_the_kernel_keeps_of_an_impairment_does_not_change_again(impairment: Impairment) -> None:
    kept = as_kept(impairment)
    assert as_kept(kept or Impairment()) == kept
    # What is observed of the kernel, which was given the numbers of this, is this very impairment.
    found = Netem.of(kept or Impairment()).impairment()
    assert (None if found.is_none else found) == kept


@given(impairments())
def test_what_is_kept_is_near_to_what_was_asked_for(impairment: Impairment) -> None:
    kept = Netem.of(impairment).impairment()
    assert abs(kept.delay - impairment.delay) <= 1e-9 * max(1.0, impairment.delay)
    for word in ("loss", "duplicate", "corrupt"):
        assert abs(getattr(kept, word) - getattr(impairment, word)) < 1e-8
    assert 0 <= impairment.rate - kept.rate < 8


@given(NUMBERS)
def test_any_numbers_that_somebody_gave_the_kernel_can_be_told(numbers: Netem) -> None:
    assert Impairment.from_text(str(numbers.impairment())) == numbers.impairment()


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("delay 50ms jitter 5ms loss 10%", "delay 50ms jitter 5ms loss 10%"),
        ("loss 0.1", "loss 10%"),
        ("rate 10mbit", "rate 10mbit"),
        ("rate 12bit", "rate 8bit"),
        ("delay 0.4ns", ""),
        ("none", ""),
    ],
)
def test_the_words_of_what_is_kept(words: str, kept: str) -> None:
    assert str(as_kept(Impairment.from_text(words)) or "") == kept


def test_tc_is_told_the_jitter_without_a_word() -> None:
    assert as_typed(Impairment(delay=0.05, jitter=0.005, loss=0.1)) == ("delay", "50ms", "5ms", "loss", "10%")


@given(NUMBERS)
def test_what_is_sent_to_the_kernel_is_read_back(numbers: Netem) -> None:
    # The options of a request are laid out as those of a dump; the kernel only adds what nobody asked for.
    assert netem.read(netem.options(numbers)) == numbers
