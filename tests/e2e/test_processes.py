"""Who reaps whom in a test: a dead process that is left unreaped keeps its PID namespace alive."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.e2e.processes import reap_orphans, started


def test_an_orphan_is_reaped_that_has_the_pid_of_a_process_that_was_started_and_waited_for() -> None:
    process = subprocess.Popen(["true"], text=True)
    started(process)
    process.wait()
    process.pid = orphan = dead_child()
    reap_orphans()
    with pytest.raises(ChildProcessError):
        os.waitpid(orphan, os.WNOHANG)


def test_a_dead_process_is_left_to_who_has_started_it() -> None:
    process = subprocess.Popen(["sh", "-c", "exit 7"], text=True)
    started(process)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    reap_orphans()
    assert process.wait() == 7


def dead_child() -> int:
    """Return a child that has ended and that nobody has waited for."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    return child
