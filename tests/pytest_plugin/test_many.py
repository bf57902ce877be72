"""Many labs of one run, made by several workers, which stand beside each other: none meets another, none is left.

`make labs` has thirty of them.
"""

from __future__ import annotations

import os
import time

from tests.e2e.labs import PAIR
from tests.pytest_plugin.conftest import Pytest

LABS = int(os.environ.get("LABS", "6"))
WORKERS = int(os.environ.get("LABS_WORKERS", "2"))

# Each lab has an address of its own, and stays until its worker has no more tests.
TESTS = """\
from pathlib import Path

import pytest
from labctl import Lab

MARKED = [
    pytest.param(number, marks=pytest.mark.lab(f"lab{number}.yaml", scope="session")) for number in range(LABS)
]


@pytest.mark.parametrize("number", MARKED)
def test_is_what_its_file_says(number: int, lab: Lab) -> None:
    lab.verify().raise_for_failures()
    assert f"198.18.{number}.1/30" in lab["left"].run("ip -4 -o address show eth0", check=True).stdout
    Path(f"seen{number}").write_text(str(len(Lab.running())))
"""


def test_many_labs_of_one_run_do_not_meet(tests: Pytest) -> None:
    before = tests.here.snapshot()
    for number in range(LABS):
        tests.here.file(f"lab{number}.yaml", PAIR.replace("192.0.2.", f"198.18.{number}."))
    tests.here.file("test_labs.py", TESTS.replace("LABS", str(LABS)))
    began = time.monotonic()
    found = tests.run("test_labs.py", "-n", str(WORKERS))
    took = time.monotonic() - began
    found.assert_outcomes(passed=LABS)
    most = max(int(path.read_text()) for path in tests.here.home.glob("seen*"))
    assert most > WORKERS, "labs that stay stand beside each other"
    assert tests.here.snapshot() == before
    print(f"{LABS} labs, {WORKERS} workers: {took:.1f} s, at most {most} at a time")
