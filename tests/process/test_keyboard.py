"""What terminals send for keys."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labctl.process.keyboard import keys_of


def test_keys_have_names() -> None:
    assert list(keys_of("\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[H\n\x7f \x1b")) == [
        "up", "down", "page-up", "page-down", "home", "enter", "backspace", "space", "escape",
    ]  # fmt: skip


def test_characters_are_themselves_and_unknown_sequences_are_left_out() -> None:
    assert list(keys_of("aé7\x1b[1;5C\x1b[15~\x00q")) == ["a", "é", "7", "q"]


@given(st.text())
def test_whatever_is_typed_has_keys(typed: str) -> None:
    assert all(keys_of(typed))
