"""What counts as the right answer to a question whose answer is a number."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from labctl.api.lab import Lab
from labctl.learn.answers import is_right
from labctl.learn.lesson.model import Answer

TTL = Answer.read({"name": "ttl", "question": "Which TTL?", "number": 64})
NO_LAB = cast(Lab, None)
"""It is asked for a measured value only."""


@pytest.mark.parametrize("typed", ("64", " 64.0 ", "64 bytes", "64ms", "ttl=64", "ttl 64", "TTL: 64"))
def test_a_number_is_right_as_a_program_prints_it(typed: str) -> None:
    assert is_right(TTL, typed, NO_LAB)


@pytest.mark.parametrize("typed", ("", "63", "tun64", "64 or 63", "63 64", "the ttl is not 64", "0x64", "six", "=64"))
def test_what_is_another_number_or_more_than_one_is_wrong(typed: str) -> None:
    assert not is_right(TTL, typed, NO_LAB)


@pytest.mark.parametrize(("printed", "typed", "right"), (("mtu 1400", "1400", True), ("no mtu", "1400", False)))
def test_a_pattern_of_which_a_part_may_be_missing_has_no_value_then(printed: str, typed: str, right: bool) -> None:
    measured = {"in": "left", "run": "ip link", "pattern": r"mtu (\d+)|no mtu"}
    asked = Answer.read({"name": "mtu", "question": "Which MTU?", "measured": measured})
    left = SimpleNamespace(run=lambda *_, **__: SimpleNamespace(stdout=printed))
    assert is_right(asked, typed, cast(Lab, {"left": left})) is right
