"""A run that is killed leaves nothing: whichever of its processes it is, and all of them at once."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable

import pytest

from tests.e2e.test_killed import engines, is_as
from tests.e2e.world import eventually
from tests.pytest_plugin.conftest import Pytest
from tests.pytest_plugin.labs import GOOD

STAYS = """\
import time

import pytest


@pytest.mark.parametrize("number", range(2))
@pytest.mark.lab("tunnel.yaml")
def test_stays(lab, number):
    with lab["siteA"].popen(["sleep", "600"]):
        time.sleep(600)
"""


def controller(process: subprocess.Popen[str], _: Pytest) -> None:
    process.kill()


def workers(_: subprocess.Popen[str], tests: Pytest) -> None:
    first, second = tests.here.processes_titled("[pytest-xdist ")
    for pid in (first, second):
        os.kill(pid, signal.SIGKILL)


def the_process_group(process: subprocess.Popen[str], _: Pytest) -> None:
    os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("kill", [controller, workers, the_process_group])
def test_a_run_that_is_killed_leaves_nothing(
    tests: Pytest, kill: Callable[[subprocess.Popen[str], Pytest], None]
) -> None:
    before = tests.here.snapshot()
    tests.here.file("tunnel.yaml", GOOD)
    tests.here.file("test_stays.py", STAYS)
    words = ("test_stays.py", "-n", "2", "--max-worker-restart", "0")
    with tests.start(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        eventually(lambda: len(engines(tests.here)) == 4, "both workers have a lab")
        eventually(lambda: len(tests.here.processes_titled("sleep 600")) >= 2, "both use it")
        kill(process, tests)
    eventually(is_as(tests.here, before), "nothing is left")
