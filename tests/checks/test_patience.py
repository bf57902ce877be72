"""Patience does not pass while those who are waited for have no CPU, and whoever is late looks once more."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from labctl.process.patience import Patience

SPIN = "import time; end = time.monotonic() + 20\nwhile time.monotonic() < end: pass"


@contextmanager
def spinning(policy: int) -> Iterator[int]:
    """A process that never sleeps, on the first of our CPUs."""
    cpu = min(os.sched_getaffinity(0))

    def pin() -> None:
        os.sched_setaffinity(0, {cpu})
        os.sched_setscheduler(0, policy, os.sched_param(0))

    with subprocess.Popen([sys.executable, "-c", SPIN], preexec_fn=pin) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def test_without_time_there_is_one_look() -> None:
    assert len(list(Patience(0).looks())) == 1


def test_who_is_late_looks_once_more() -> None:
    looks = 0
    for _ in Patience(0.02).looks():
        looks += 1
        time.sleep(0.05)
    assert looks == 2


def test_what_is_ready_is_seen_however_late() -> None:
    reader, writer = os.pipe()
    ready = select.poll()
    ready.register(reader, select.POLLIN)
    patience = Patience(0.01)
    assert not patience.wait(ready)
    os.write(writer, b"x")
    assert patience.wait(ready)
    os.close(reader)
    os.close(writer)


def test_time_in_which_a_process_waits_for_a_cpu_does_not_count() -> None:
    with spinning(os.SCHED_IDLE) as starved, spinning(os.SCHED_OTHER):
        patience, until = Patience(0.1, starved), time.monotonic() + 0.5
        while time.monotonic() < until:
            assert not patience.over()
            time.sleep(0.01)


def test_a_process_that_never_sleeps_does_not_hold_up_for_ever() -> None:
    with spinning(os.SCHED_OTHER) as busy:
        assert list(Patience(0.01, busy).looks())


def test_one_that_has_had_a_cpu_for_all_of_the_time_is_not_starved() -> None:
    with spinning(os.SCHED_OTHER) as one, spinning(os.SCHED_OTHER) as other:  # each waits while the other one runs
        began = time.monotonic()
        patience = Patience(0.1, one, other)
        for _ in patience.looks():
            assert time.monotonic() < began + 5
        assert patience.waited() > 0.1


def test_a_process_that_has_ended_is_not_waited_for() -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
        assert list(Patience(0.01, ended.pid).looks())
