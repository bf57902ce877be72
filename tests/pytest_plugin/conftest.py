"""A run of pytest with the plugin, by a person who is root or is not."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from tests.e2e.conftest import _ctrl_c_is_heard, as_root, as_user, here, pytest_runtest_makereport
from tests.e2e.world import DEADLINE, World

__all__ = ["_ctrl_c_is_heard", "as_root", "as_user", "here", "pytest_runtest_makereport"]


class Pytest:
    """Runs pytest in the directory of a person, as `pytest` runs it, with no plugins but ours and pytest-xdist."""

    def __init__(self, here: World) -> None:
        self.here = here

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        ours = [name for name in os.environ if name.startswith("PYTEST_")]  # of the run that this test is part of
        command = ["env", *(word for name in ours for word in ("-u", name)), "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1"]
        command += [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "xdist"]
        command += ["-p", "labctl.pytest_plugin", "--strict-markers", "-W", "error", *words]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return self.here.start(
            command,
            env={"COLUMNS": "160", "TMPDIR": str(self.here.home)},
            start_new_session=True,
            **{**pipes, **options},
        )

    def run(self, *words: str) -> pytest.RunResult:
        with self.start(*words) as process:
            out, err = process.communicate(timeout=6 * DEADLINE)
        return pytest.RunResult(process.returncode, out.splitlines(), err.splitlines(), 0.0)


@pytest.fixture
def tests(here: World) -> Pytest:
    return Pytest(here)
