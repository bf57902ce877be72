"""What ships with labctl is proved by its own checks, each of which is a test of its own.

A lab is tried in one mode, the next in the other: the plugin knows none, and tests/e2e tries the labs in both.
"""

from __future__ import annotations

from itertools import cycle

import pytest

from labctl.topology import shipped
from tests.e2e.world import SUITE_IS_ROOT
from tests.programs import SHIPPED_NEED, needed
from tests.pytest_plugin.conftest import Pytest

MODES = ("rootless", "root") if SUITE_IS_ROOT else ("rootless",)


@pytest.mark.parametrize(("name", "here"), list(zip(shipped.names(), cycle(MODES), strict=False)), indirect=["here"])
def test_every_check_of_a_shipped_topology_passes(tests: Pytest, name: str) -> None:
    for program in SHIPPED_NEED.get(name, ()):
        needed(program)
    found = tests.run("--lab", name)
    outcomes = found.parseoutcomes()
    assert found.ret == pytest.ExitCode.OK and set(outcomes) == {"passed"}, "\n".join(found.outlines)
