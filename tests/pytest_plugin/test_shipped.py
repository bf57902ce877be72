"""What ships with labctl is proved by its own checks, each of which is a test of its own.

Three labs are tried, in one mode each: the plugin knows none, and tests/e2e tries all labs in both.
"""

from __future__ import annotations

from itertools import cycle

import pytest

from tests.e2e.world import SUITE_IS_ROOT
from tests.programs import SHIPPED_NEED, needed
from tests.pytest_plugin.conftest import Pytest

LABS = ("two-site", "web-dns", "ospf")
MODES = ("rootless", "root") if SUITE_IS_ROOT else ("rootless",)


@pytest.mark.parametrize(("name", "here"), list(zip(LABS, cycle(MODES), strict=False)), indirect=["here"])
def test_every_check_of_a_shipped_topology_passes(tests: Pytest, name: str) -> None:
    for program in SHIPPED_NEED.get(name, ()):
        needed(program)
    found = tests.run("--lab", name)
    outcomes = found.parseoutcomes()
    assert found.ret == pytest.ExitCode.OK and set(outcomes) == {"passed"}, "\n".join(found.outlines)
