"""A place in a ruleset leads to its place in the file, however the ruleset is written."""

from __future__ import annotations

import pytest

from labctl.topology import yaml_tree
from labctl.topology.rulesets import At, Rulesets
from labctl.topology.yaml_tree import Position

BLOCK = """\
namespaces:
  a: {}
  b:
    # nft: |
    nft: |HEADER
      table inet x {

        chain c {
          \taccept
        }
      }
"""


def ruleset(text: str) -> str:
    tree = yaml_tree.read(text)
    assert tree is not None
    found: str = tree.root.value["namespaces"]["b"]["nft"]
    return found


@pytest.mark.parametrize("header", ["", "-", "+", "2", "  # a comment"])
def test_a_line_of_a_block_is_a_line_of_the_file(header: str) -> None:
    text = BLOCK.replace("HEADER", header)
    written, places = ruleset(text), Rulesets(text)
    assert places.position(written, At(1, 1)) == Position(5, 6)
    assert places.position(written, At(3, 3)) == Position(7, 8)
    found = places.position(written, At(4, 6))
    assert found == Position(8, 11) and places.line_at(found)[found.column :] == "accept"


def test_what_is_missing_at_the_end_is_seen_at_the_end() -> None:
    text = BLOCK.replace("HEADER", "")
    assert Rulesets(text).position(ruleset(text), At(7, 1)) == Position(10, 7)


@pytest.mark.parametrize(
    "written",
    [
        "nft: table inet x",
        'nft: "table inet x {\\n}\\n"',
        "nft: >\n      table inet x {\n      }\n",
        "nft: &again |\n      table inet x {\n      }\n",
        "nft: |\n      table inet x\n      }\n",
    ],
)
def test_every_other_form_is_told_as_a_whole(written: str) -> None:
    text = f"namespaces:\n  b:\n    {written}\n"
    assert Rulesets(text).position(ruleset(text), At(0, 0)) == Position(2, 9)


def test_a_ruleset_of_another_file_has_no_place() -> None:
    assert Rulesets(BLOCK.replace("HEADER", "")).position("table inet y", At(1, 1)) is None
    for text in ("", "a: [", "namespaces: 5", "namespaces: {a: 5}", "[1]"):
        assert Rulesets(text).position("table inet y", At(1, 1)) is None
