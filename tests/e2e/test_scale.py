"""Labs of many sites, as `make bench` times them: they go up, their tunnels carry, and they go."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.labs import chain, hub
from tests.e2e.world import World


@pytest.mark.parametrize("generated", [chain, hub])
@pytest.mark.parametrize("sites", [2, 9, 10])
def test_a_generated_lab_goes_up_carries_packets_and_goes(
    here: World, generated: Callable[[int], str], sites: int
) -> None:
    file = here.file("generated.yaml", generated(sites))
    here.labctl("up", file)
    assert here.json("verify")["passed"]
    assert here.json("status")["drift"] == []
    here.labctl("down")
