"""The pages as texts: links resolve, blocks are tested somewhere, and what is made from the code is up to date."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from docs import keys, manpage
from labctl.cli.base import cli
from labctl.topology.load import loads
from tests.docs.pages import PAGES, Block, anchors, blocks, files, links, missing
from tests.e2e.world import REPO

ELSEWHERE = [(page, block) for page in PAGES for block in blocks(page) if block.elsewhere]
TOPOLOGIES = [block for page in PAGES for block in blocks(page) if block.language == "yaml"]
COMMANDS = {name: command for name, command in cli.commands.items() if not command.hidden}
LANGUAGES = ("console", "yaml", "text", "python", "markdown")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_resolves(page: Path) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        target, _, heading = link.partition("#")
        file = (REPO / page.parent / target).resolve() if target else REPO / page
        assert file.is_file(), f"{page} links to {link}"
        if heading:
            assert heading in anchors(file.relative_to(REPO)), f"{page} links to {link}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_block_says_what_it_is(page: Path) -> None:
    for block in blocks(page):
        assert block.language in LANGUAGES, block.text
        assert block.file or block.language not in ("yaml", "python"), (
            f"{page}: a block without a name is tested nowhere"
        )


@pytest.mark.parametrize(("page", "block"), ELSEWHERE, ids=str)
def test_a_command_that_is_run_elsewhere_is_there(page: Path, block: Block) -> None:
    lines = (REPO / block.elsewhere).read_text().splitlines()
    for command in block.commands:
        words = set(command.line.split())
        assert any(words <= set(line.split()) for line in lines), f"{block.elsewhere} lacks {command.line}"


@pytest.mark.parametrize("block", TOPOLOGIES, ids=lambda block: block.file)
def test_a_topology_in_a_page_has_no_mistakes(block: Block) -> None:
    if block.file not in (
        "broken.yaml",
        "teacher.yaml",
        "servers.yaml",
        "laptops.yaml",
    ):  # with checks alone; an inventory
        assert loads(block.text, block.file).name in block.file


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    for name in files(page):
        assert any((top / name).exists() for top in (REPO, REPO / "labctl")), f"{page} names {name}"


@pytest.mark.parametrize("page", keys.PAGES, ids=lambda page: page.name)
def test_the_tables_of_keys_are_those_of_the_model(page: Path) -> None:
    assert keys.filled(page) == page.read_text(), "run `make docs`"


@pytest.mark.parametrize("page", keys.PAGES, ids=lambda page: page.name)
def test_every_key_of_the_schema_is_documented(page: Path) -> None:
    """Read from the pages alone: the first column of the tables. What a topology has, too, is in its page."""
    documented = _documented(page)
    models = keys.definitions(page)
    elsewhere = _documented(keys.TOPOLOGY)
    assert models.keys() - elsewhere.keys() == documented.keys() - elsewhere.keys()
    assert page != keys.TOPOLOGY or documented.keys() == models.keys()
    for name, model in models.items():
        found = documented.get(name) or elsewhere[name]
        shared = "kind" in model["properties"]  # one table for all interfaces
        assert set(model["properties"]) <= found if shared else set(model["properties"]) == found


def _documented(page: Path) -> dict[str, set[str]]:
    documented: dict[str, set[str]] = {}
    for table in keys.MARKED.finditer(page.read_text()):
        rows = [[cell.strip() for cell in row.split(" | ")] for row in table[0].splitlines() if row.startswith("| `")]
        for name in table[1].split():
            documented[name] = {row[0].strip("| `") for row in rows}
    return documented


def test_the_man_page_is_that_of_the_commands() -> None:
    assert manpage.PAGE.read_text() == manpage.page(), "run `make docs`"


def test_the_man_page_has_every_command_and_every_option() -> None:
    page = manpage.PAGE.read_text().replace(r"\-", "-")
    for name, command in COMMANDS.items():
        part = re.split(r"^\.S[SH] ", page.partition(f'.SS "labctl {name} ')[2], maxsplit=1, flags=re.M)[0]
        assert part, name
        for option in command.params:
            if isinstance(option, click.Option):
                assert f".B {', '.join(option.opts)}" in part, f"labctl {name}: {option.opts}"


def test_every_command_is_in_the_page_of_commands() -> None:
    page = (REPO / "docs/commands.md").read_text()
    assert [name for name in COMMANDS if not re.search(rf"\| .*`{name}\b", page)] == []


FOR_A_TERMINAL = {"challenge", "class", "hint", "learn", "lesson", "schema", "shell", "topologies", "watch"}


def test_every_command_has_its_words_in_python() -> None:
    page = (REPO / "docs/python.md").read_text()
    assert {name for name in COMMANDS if f"`labctl {name}" not in page} == FOR_A_TERMINAL


def test_lines_that_a_page_shows_are_looked_for_in_order() -> None:
    output = "a\nup (rootless, 0.04 s):  2\npid 7 x\nb\n"
    assert missing(("a", "up (rootless, 1.5 s): 2", "pid 4"), output) == []
    assert missing(("b", "a"), output) == ["a"]
    assert missing(("up (rootless, 1.5 s): 3",), output) == ["up (rootless, 1.5 s): 3"]
