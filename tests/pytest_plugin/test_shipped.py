"""What ships with labctl is proved by its own checks, each of which is a test of its own."""

from __future__ import annotations

import pytest

from labctl.topology import shipped
from tests.programs import SHIPPED_NEED, needed
from tests.pytest_plugin.conftest import Pytest


@pytest.mark.parametrize("name", shipped.names())
def test_every_check_of_a_shipped_topology_passes(tests: Pytest, name: str) -> None:
    for program in SHIPPED_NEED.get(name, ()):
        needed(program)
    found = tests.run("--lab", name)
    outcomes = found.parseoutcomes()
    assert found.ret == pytest.ExitCode.OK and set(outcomes) == {"passed"}, "\n".join(found.outlines)
