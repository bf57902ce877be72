"""The picture of the README: what the commands write today, drawn with what every renderer of SVG knows."""

from __future__ import annotations

import re
import sys
from xml.etree import ElementTree

from tests.e2e.world import REPO, World

PICTURE = REPO / "docs" / "labctl.svg"
SVG = "{http://www.w3.org/2000/svg}"
# librsvg knows no foreignObject, and no textLength; of style sheets it knows less than browsers do.
ELEMENTS = {"svg", "rect", "circle", "g", "text"}
OF_TEXT = {"x", "y", "fill", "font-weight", "opacity"}
_SECONDS = re.compile(r">[0-9]+\.[0-9]{2}<")


def test_make_picture_draws_the_same_one(as_user: World) -> None:
    as_user.run(sys.executable, "-m", "docs.picture", "drawn.svg")
    drawn = (as_user.home / "drawn.svg").read_text()
    assert _SECONDS.sub("><", drawn) == _SECONDS.sub("><", PICTURE.read_text())


def test_the_picture_shows_a_check_that_passes_and_one_that_fails() -> None:
    words = [each.text for each in ElementTree.parse(PICTURE).iter(f"{SVG}text")]
    assert {"pass", "FAIL"} <= set(words)


def test_the_picture_is_no_higher_than_a_screen_and_is_drawn_alike_everywhere() -> None:
    top = ElementTree.parse(PICTURE).getroot()
    assert int(top.attrib["height"]) <= 900
    assert {each.tag.removeprefix(SVG) for each in top.iter()} <= ELEMENTS
    for text in top.iter(f"{SVG}text"):
        assert set(text.attrib) <= OF_TEXT
        assert text.text and " " not in text.text, "a space is as wide as a renderer's font has it"
