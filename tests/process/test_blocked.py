"""The stop watch of what the kernel keeps a thread waiting for."""

from __future__ import annotations

import select
import time

from labctl.process.blocked import Blocked


def test_waiting_counts_and_adds_up() -> None:
    blocked = Blocked()
    for _ in range(2):
        with blocked:
            select.select([], [], [], 0.05)
    assert 0.09 < blocked.seconds < 5


def test_work_does_not_count() -> None:
    blocked, until = Blocked(), time.thread_time() + 0.1
    with blocked:
        while time.thread_time() < until:
            pass
    assert blocked.seconds < 0.05
