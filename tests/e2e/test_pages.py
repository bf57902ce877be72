"""The commands of the pages, typed in order: they end as the pages say, and write what the pages show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, blocks, json_keys
from tests.e2e.reader import Reader, install
from tests.e2e.world import World

AS_ROOT = ("docs/commands.md",)
TYPED = [page for page in PAGES if any(block.language == "console" and not block.elsewhere for block in blocks(page))]


@pytest.mark.parametrize("page", TYPED, ids=str)
def test_the_commands_of_a_page_do_what_it_says(page: Path, request: pytest.FixtureRequest) -> None:
    here: World = request.getfixturevalue("as_root" if str(page) in AS_ROOT else "as_user")
    install(here)
    for block in blocks(page):
        if block.file:
            here.file(block.file, block.text)
        if block.language == "console" and not block.elsewhere:
            with Reader(here) as reader:
                for command in block.commands:
                    reader.type(command)
    here.labctl("down", "--all")


def test_the_json_has_the_keys_that_the_page_of_commands_names(as_user: World) -> None:
    documented = dict(json_keys(Path("docs/commands.md")))
    calls = {
        "up": ["up", "two-site"],
        "plan": ["plan", "two-site"],
        "verify": ["verify", "underlay"],
        "why": ["why", "siteA", "10.0.102.1"],
        "status": ["status"],
        "list": ["list"],
        "trace": ["trace", "underlay"],
        "restart": ["restart"],
        "impair": ["impair", "siteA:tun0", "--show"],
        "validate": ["validate", "two-site"],
        "topologies": ["topologies"],
        "export": ["export", "two-site"],
        "graph": ["graph"],
        "doctor": ["doctor"],
        "down": ["down"],
    }
    for command, words in calls.items():
        shown = as_user.json(*words)
        assert set(shown[0] if isinstance(shown, list) else shown) == documented.pop(command), command
    assert documented == {}
