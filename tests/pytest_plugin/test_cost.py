"""What the plugin costs a run of pytest that does not use it: a module of hooks and one of fixtures, and no library."""

from __future__ import annotations

import subprocess
import sys

from tests.e2e.world import REPO

PROGRAM = """\
import sys
import pytest

before = set(sys.modules)
import labctl.pytest_plugin

print(*sorted(set(sys.modules) - before))
"""


def test_nothing_is_loaded_before_it_is_used() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=REPO, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["labctl", "labctl.pytest_plugin", "labctl.pytest_plugin.fixtures"]
