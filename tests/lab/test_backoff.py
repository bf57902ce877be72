"""The pause before a program is started again."""

from __future__ import annotations

from labctl.lab.programs.backoff import LONGEST, SETTLED, Backoff


def test_each_pause_is_twice_the_one_before_up_to_a_minute() -> None:
    backoff = Backoff()
    pauses = [backoff.after(0.0) for _ in range(12)]
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8] and pauses[-2:] == [LONGEST, LONGEST] == [60.0, 60.0]


def test_a_program_that_has_run_well_waits_as_at_first() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after(SETTLED - 0.1)
    assert [backoff.after(SETTLED), backoff.after(0.0)] == [0.1, 0.2]
