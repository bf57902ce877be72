"""The numpy of an engine is less than numpy, and does the same arithmetic."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

from labctl.engine import numpy_import
from tests.e2e.world import REPO

from .fuzz import fuzz

LEAN = """
import os, sys
from labctl.engine.endpoint import preload
preload()
import numpy.lib
assert "OPENBLAS_NUM_THREADS" not in os.environ and len(os.listdir("/proc/self/task")) == 1
from tests.engine.fuzz import fuzz
print(numpy.lib.__spec__.origin, fuzz(1500, seed=5))
"""


def tried(number: str) -> bool:
    return bool(numpy_import.TRIED.search(f'version = "{number}"'))


@pytest.mark.skipif(not tried(version("numpy")), reason="all of an untried version of numpy is loaded")
def test_an_engine_computes_the_same_without_the_rest_of_numpy() -> None:
    told = subprocess.run([sys.executable, "-c", LEAN], cwd=REPO, capture_output=True, text=True, timeout=60)
    assert told.stdout.split() == ["None", str(fuzz(1500, seed=5))], told.stderr


@pytest.mark.parametrize(
    ("number", "is_tried"), [("1.26.4", False), ("2.0.2", True), ("2.4.6", True), ("2.5.0", False)]
)
def test_of_a_version_that_was_not_tried_all_is_loaded(number: str, is_tried: bool) -> None:
    assert tried(number) == is_tried
