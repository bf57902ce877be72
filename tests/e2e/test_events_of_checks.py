"""`events --verify` with checks of every kind."""

from __future__ import annotations

from typing import Any

from tests.e2e.labs import PAIR
from tests.e2e.test_events import events, inside
from tests.e2e.world import World

EVERY_KIND = """\
  - {name: command, exec: {in: left, command: ping -c 1 -W 0.3 192.0.2.2}}
  - {name: page, http: {from: left, url: "http://right/", timeout: 0.5}}
  - {name: way, route: {in: left, to: 192.0.2.2, dev: eth0}}
  - {name: follows, exec: {in: left, command: "true"}, needs: [page]}
"""
WEB = 'programs: [{name: web, command: "python3 -m http.server 80", ready: {tcp: 80}}]\n'


def all_pass(told: Any, *names: str) -> None:
    """Wait until each of these checks is told to have passed, in any order."""
    missing = {*names}
    while missing:
        missing.discard(told.expect("check", "passed")["name"])


def test_every_kind_of_check_is_followed(here: World) -> None:
    """What needs one that fails is not asked then, and is again once that passes."""
    file = here.file("pair.yaml", PAIR.replace("checks:\n", f"    {WEB}checks:\n") + EVERY_KIND)
    here.labctl("up", file)
    with events(here, "--verify") as told:
        all_pass(told, "across", "command", "page", "way", "follows")
        inside(here, "right", "ip link set eth0 down")
        told.expect("check", "failed", name="page")
        told.expect("check", "not-asked", name="follows")
        here.labctl("up", file)
        all_pass(told, "page", "follows")  # command may not have been asked while it would have failed
    here.labctl("down")
