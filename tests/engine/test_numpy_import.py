"""The numpy of an engine is less than numpy, and does the same arithmetic."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version

import pytest

from labctl.engine.batches import numpy_import
from labctl.engine.core import library
from tests.e2e.world import REPO

from .fuzz import fuzz

LEAN = """
import os, sys
from labctl.engine.kinds import preload
before = dict(os.environ)
preload()
import numpy.lib
assert dict(os.environ) == before and len(os.listdir("/proc/self/task")) == 1
from tests.engine.fuzz import fuzz
print(numpy.lib.__spec__.origin, fuzz(1500, seed=5))
"""


def tried(number: str) -> bool:
    return bool(numpy_import.TRIED.search(f'version = "{number}"'))


@pytest.mark.skipif(not tried(version("numpy")), reason="all of an untried version of numpy is loaded")
def test_an_engine_computes_the_same_without_the_rest_of_numpy() -> None:
    environment = {**os.environ, library.VARIABLE: "python"}
    told = subprocess.run(
        [sys.executable, "-c", LEAN], cwd=REPO, env=environment, capture_output=True, text=True, timeout=60
    )
    assert told.stdout.split() == ["None", str(fuzz(1500, seed=5))], told.stderr


def test_all_is_loaded_of_a_version_that_was_not_tried() -> None:
    numbers = ("1.26.4", "2.0.2", "2.4.6", "2.5.5", "2.6.0", "3.0.0")
    assert [number for number in numbers if tried(number)] == ["2.0.2", "2.4.6", "2.5.5"]
