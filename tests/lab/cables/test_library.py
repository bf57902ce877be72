"""The library that seals is an extra: without it a cable is refused with the command that installs it."""

from __future__ import annotations

import subprocess
import sys

from tests.e2e.world import REPO

WITHOUT = """
import sys
sys.modules["cryptography"] = None  # as where it is not installed
from labctl.errors import MachineError
from labctl.lab.cables.reach import Reach
try:
    Reach([])
except MachineError as error:
    print(error.what, error.hint, sep="\\n")
"""


def test_without_the_library_a_cable_is_refused_with_what_installs_it() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], cwd=REPO, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "a cable between hosts needs the library cryptography",
        "pip install 'labctl-netns[hosts]'",
    ]
