"""labctl is called from odd places: without a working directory, without streams, with nowhere to write to."""

from __future__ import annotations

from typing import Any

from tests.lab.labs import tunnel
from tests.lab.test_engines import SOCAT
from tests.lab.world import World


def nowhere(here: World) -> dict[str, Any]:
    """Options of a call from a directory that has just been deleted."""
    place = here.home / "deleted"
    place.mkdir()
    return {"cwd": place, "before": place.rmdir}


def test_a_lab_from_a_directory_that_is_no_more(here: World) -> None:
    theirs = (
        f'{{device: "siteA:tun0", bind: "192.0.2.1:9000", peer: "192.0.2.2:9000", engine: {{command: "{SOCAT}"}}}},'
    )
    here.labctl("up", here.file("tunnel.yaml", tunnel(ttun_a=theirs)), **nowhere(here))
    assert here.json("verify")["passed"]
    here.labctl("exec", "siteA", "--", "true", **nowhere(here))
    here.labctl("down", **nowhere(here))
