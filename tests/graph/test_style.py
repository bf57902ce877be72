"""What is drawn can be told from what is behind it, in light and in dark (WCAG 2.1: 1.4.3 and 1.4.11)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from labctl.report.graph.style import DARK, LIGHT, style

TEXTS = ("text", "strong", "dim", "amber", "red")
LINES = ("edge", "cable", "red", "wall0", "wall1", "wall2", "wall3")
PILLS = ("bore0", "bore1", "bore2", "bore3", "redpaper")


def contrast(one: str, other: str) -> float:
    """The ratio of two luminances, from 1 to 21."""
    lower, upper = sorted((_luminance(one), _luminance(other)))
    return (upper + 0.05) / (lower + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_words_can_be_read(colours: Mapping[str, str]) -> None:
    for paper in ("paper", "card"):
        for words in TEXTS:
            assert contrast(colours[words], colours[paper]) >= 4.5, (words, paper)
    for pill in PILLS:
        assert contrast(colours["text"], colours[pill]) >= 4.5, pill


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_lines_can_be_seen(colours: Mapping[str, str]) -> None:
    for paper in ("paper", "card"):
        for line in LINES:
            assert contrast(colours[line], colours[paper]) >= 3, (line, paper)
    for rank in range(4):
        assert contrast(colours["cable"], colours[f"bore{rank}"]) >= 4.5, "a cable inside of its pipe"
        assert contrast(colours[f"wall{rank}"], colours[f"bore{rank}"]) >= 2.5


def test_every_rule_holds_inside_a_picture_alone() -> None:
    rules = [part.rpartition("}")[2] for part in style().replace("){", "}").split("{")[:-1]]
    for rule in rules:
        for selector in filter(None, map(str.strip, rule.split(","))):
            assert selector.startswith((".lab ", "@media")), selector
