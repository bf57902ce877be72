"""The main job: up, verify, status, down, of both shipped labs, as root and without any right."""

from __future__ import annotations

import pytest

from tests.e2e.world import World

LABS = ["two-site", "single-host"]


@pytest.mark.parametrize("lab", LABS)
def test_up_verify_down_of_a_shipped_lab(here: World, lab: str) -> None:
    made = here.json("up", lab)
    assert (made["lab"], made["mode"]) == (lab, here.mode)
    verdict = here.json("verify")
    assert verdict["passed"] and verdict["lab"] == lab
    assert all(set(check) >= {"name", "passed", "expected", "observed", "evidence", "command"}
               for check in verdict["checks"])  # fmt: skip
    here.labctl("down")


@pytest.mark.parametrize("lab", LABS)
def test_a_second_up_changes_nothing_and_says_so(here: World, lab: str) -> None:
    here.labctl("up", lab)
    assert here.json("up", lab)["changes"] == []
    assert "nothing to do" in here.labctl("up", lab).stdout
    here.labctl("down")


def test_a_second_down_is_no_error(here: World) -> None:
    here.labctl("up", "two-site")
    here.labctl("down")
    assert "nothing to do" in here.labctl("down").stdout
    assert "nothing to do" in here.labctl("down", "two-site").stdout
