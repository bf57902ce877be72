"""Signals to exec and trace on one machine; tests/hosts/test_signals.py holds labs over hosts to the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import pytest

from tests.e2e.labs import PAIR
from tests.e2e.signalled import ROWS, TYPED, signalled
from tests.e2e.world import World


@pytest.mark.parametrize("kill", [os.kill, os.killpg])
def test_a_command_that_is_asked_to_end_has_its_last_words(here: World, kill: Callable[[int, int], None]) -> None:
    """kill(1) sends a signal to one process, timeout(1) to all of its group."""
    here.labctl("up", here.file("pair.yaml", PAIR))
    start = partial(here.start_labctl, start_new_session=True)
    for row in (*ROWS, *([TYPED] if kill is os.killpg else [])):
        ended = signalled(start, lambda labctl, number: kill(labctl.pid, number), "left", row)
        assert ended == {"exec": row, "trace": row}
    here.labctl("down")
