"""What holds for every picture, however the lab looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations, pairwise
from xml.etree import ElementTree

from labctl.report.graph.layout import Layout, layout
from labctl.report.graph.model import Picture
from labctl.report.graph.paths import Curve, Path, Point
from labctl.report.graph.svg import svg

SVG = "{http://www.w3.org/2000/svg}"


def assert_drawn_well(picture: Picture) -> None:
    drawn = layout(picture)
    _assert_apart(drawn)
    _assert_on_the_canvas(drawn)
    _assert_cables_before_cards(drawn)
    _assert_text_fits(drawn)
    _assert_says_all(picture)


def _assert_apart(drawn: Layout) -> None:
    for one, other in combinations(drawn.boxes, 2):
        beside = one.x + one.width + 12 <= other.x or other.x + other.width + 12 <= one.x
        above = one.y + one.height + 12 <= other.y or other.y + other.height + 12 <= one.y
        assert beside or above, f"{one.card.namespace.name} overlaps {other.card.namespace.name}"


def _assert_on_the_canvas(drawn: Layout) -> None:
    lines = [*drawn.cables.values(), *(pipe.path for pipe in drawn.pipes)]
    corners = [(box.x + dx, box.y + dy) for box in drawn.boxes for dx in (0, box.width) for dy in (0, box.height)]
    for x, y in [*corners, *(point for path in lines for point in along(path))]:
        assert 0 <= x <= drawn.width and 0 <= y <= drawn.height


def _assert_cables_before_cards(drawn: Layout) -> None:
    """No cable runs behind a card."""
    for cable, path in drawn.cables.items():
        for x, y in along(path):
            for box in drawn.boxes:
                within = box.x + 1 < x < box.x + box.width - 1 and box.y + 1 < y < box.y + box.height - 1
                assert not within, f"{cable.one} runs behind {box.card.namespace.name}"


def _assert_text_fits(drawn: Layout) -> None:
    for box in drawn.boxes:
        assert box.x < box.text < box.end < box.x + box.width
        assert box.end - box.text >= box.card.width - 0.01
        lines = [line for row in box.card.rows for line in row.lines]
        assert all(one.top + one.height <= other.top + 0.01 for one, other in pairwise(lines))
        assert all(line.top + line.height <= box.height for line in lines)


def _assert_says_all(picture: Picture) -> None:
    top = ElementTree.fromstring(svg(picture))
    words = {each.text for each in top.iter(f"{SVG}text")}
    ids = Counter(each.attrib["id"] for each in top.iter() if "id" in each.attrib)
    assert max(ids.values()) == 1
    for namespace in picture.namespaces:
        assert namespace.name in words and f"ns-{namespace.name}" in ids
    for interface in picture.interfaces:
        assert {interface.ref.interface, *interface.addresses} <= words and f"if-{interface.ref}" in ids
    for cable in picture.cables:
        assert f"link-{cable.one}" in ids
    for tunnel in picture.tunnels:
        assert f"tun-{tunnel.device}" in ids


def along(path: Path) -> Iterator[Point]:
    """Points of a line, close to one another."""
    for curve in path:
        for step in range(9 if len(curve) == 4 else 2):
            yield _at(curve, step / (8 if len(curve) == 4 else 1))


def _at(curve: Curve, part: float) -> Point:
    """De Casteljau's algorithm."""
    while len(curve) > 1:
        curve = tuple(
            Point(one.x + (other.x - one.x) * part, one.y + (other.y - one.y) * part) for one, other in pairwise(curve)
        )
    return curve[0]
