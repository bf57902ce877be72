"""The pictures of the README and the pages: what the commands write today, drawn with what every renderer knows."""

from __future__ import annotations

import re
import sys
from xml.etree import ElementTree

import pytest

from docs.pictures import PICTURES
from tests.e2e.world import REPO, World

DOCS = REPO / "docs"
SVG = "{http://www.w3.org/2000/svg}"
# librsvg knows no foreignObject, and no textLength; of style sheets it knows less than browsers do.
ELEMENTS = {"svg", "rect", "circle", "g", "text"}
OF_TEXT = {"x", "y", "fill", "font-weight", "opacity"}
TERMINALS = ("labctl.svg", "diagnosis.svg")
_TIMES = re.compile(r">[0-9]+(?:\.[0-9]+)?<")  # each word of a terminal is an element of its own


def words(name: str) -> set[str | None]:
    return {each.text for each in ElementTree.parse(DOCS / name).iter(f"{SVG}text")}


def test_make_picture_draws_the_same_ones(as_user: World) -> None:
    as_user.run(sys.executable, "-m", "docs.pictures", ".")
    for name in PICTURES:
        drawn = (as_user.home / name).read_text(encoding="utf-8")
        assert _TIMES.sub("><", drawn) == _TIMES.sub("><", (DOCS / name).read_text(encoding="utf-8")), name


def test_every_picture_is_on_a_page() -> None:
    pages = "".join(page.read_text() for page in (*REPO.glob("*.md"), *DOCS.glob("*.md")))
    for name in PICTURES:
        assert f"{name})" in pages, f"no page shows {name}"


def test_the_picture_shows_a_check_that_passes_and_one_that_fails() -> None:
    assert {"pass", "FAIL"} <= words("labctl.svg")


def test_one_picture_is_a_diagnosis() -> None:
    assert {"FAIL", "`blackhole"} <= words("diagnosis.svg")


def test_one_picture_has_what_is_dead() -> None:
    assert {"is down", "has no carrier"} <= words("two-site-broken.svg")
    assert "is down" not in words("two-site.svg")


@pytest.mark.parametrize("name", TERMINALS)
def test_a_terminal_is_no_higher_than_a_screen_and_is_drawn_alike_everywhere(name: str) -> None:
    top = ElementTree.parse(DOCS / name).getroot()
    assert int(top.attrib["height"]) <= 900
    assert {each.tag.removeprefix(SVG) for each in top.iter()} <= ELEMENTS
    for text in top.iter(f"{SVG}text"):
        assert set(text.attrib) <= OF_TEXT
        assert text.text and " " not in text.text, "a space is as wide as a renderer's font has it"
