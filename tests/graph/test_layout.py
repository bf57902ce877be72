"""Where things stand: nothing overlaps, nothing is left out, whatever the lab looks like."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import labs as generated
from labctl.errors import UsageError
from labctl.report.graph.layout import Layout, layout
from labctl.report.graph.legs import Across, legs_of, ranks
from labctl.report.graph.of_topology import of_topology
from labctl.report.graph.order import crossings
from labctl.report.graph.svg import svg
from labctl.topology.load import load, loads
from labctl.topology.model import Topology
from labctl.topology.shipped import find, names
from tests.e2e.labs import ROUTED, many_engines, tunnel
from tests.graph.drawn import assert_drawn_well
from tests.graph.labs import SHAPES, anyhow, chain, star, tree, vpn
from tests.topology.near_the_edge import near_the_edge


@pytest.mark.parametrize("name", names())
def test_shipped_topologies_are_drawn_well(name: str) -> None:
    assert_drawn_well(of_topology(load(find(name))))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_drawn_well(shape: str) -> None:
    assert_drawn_well(of_topology(SHAPES[shape]))


OTHERS = {
    "tunnel": tunnel(),
    "no far end": tunnel(ttun_b=""),
    "no way": many_engines(3),
    "routed": ROUTED,
    "sites in a row": generated.chain(9),
    "sites around one": generated.hub(9),
}


@pytest.mark.parametrize("name", OTHERS)
def test_labs_of_other_tests_are_drawn_well(name: str) -> None:
    assert_drawn_well(of_topology(loads(OTHERS[name], "lab.yaml")))


@settings(max_examples=40)
@given(near_the_edge())
def test_any_file_that_is_right_is_drawn_well(text: str) -> None:
    try:
        topology = loads(text, "lab.yaml")
    except UsageError:
        return
    assert_drawn_well(of_topology(topology))


@settings(max_examples=15)
@given(st.integers(2, 12), st.integers(0, 8), st.integers(0, 2**32))
def test_cables_anyhow_are_drawn_well(number: int, more: int, seed: int) -> None:
    assert_drawn_well(of_topology(anyhow(number, number - 1 + more, seed)))


def test_the_same_lab_is_always_drawn_alike() -> None:
    assert svg(of_topology(vpn(3))) == svg(of_topology(vpn(3)))


@pytest.mark.parametrize("topology", [anyhow(100, 130, 4), star(100)], ids=["anyhow", "star"])
def test_a_lab_of_100_namespaces_can_be_drawn(topology: Topology) -> None:
    drawn = layout(of_topology(topology))
    assert len(drawn.boxes) == 100
    assert drawn.width < 5000 and drawn.height < 5000


@pytest.mark.parametrize("topology", [chain(5), chain(30), star(30), tree(), vpn(8)])
def test_what_can_be_drawn_without_crossings_is(topology: Topology) -> None:
    assert crossings_of(layout(of_topology(topology))) == 0


@pytest.mark.parametrize("number", [2, 5, 30])
def test_a_picture_fits_a_screen(number: int) -> None:
    for topology in (chain(number), star(number)):
        drawn = layout(of_topology(topology))
        assert drawn.width <= 1920 and drawn.height <= 1100


def test_what_stands_first_in_the_file_stands_on_the_left() -> None:
    boxes = layout(of_topology(chain(5))).boxes
    assert [box.x for box in boxes] == sorted(box.x for box in boxes)


def test_a_tunnel_goes_from_engine_to_engine_over_the_cable_that_carries_it() -> None:
    picture = of_topology(load(find("two-site")))
    [pipe] = layout(picture).pipes
    a, b = layout(picture).boxes
    assert pipe.path[0][0].x == a.end and pipe.path[-1][-1].x == b.text
    [cable] = layout(picture).cables.values()
    assert set(cable) <= set(pipe.path)


def test_a_tunnel_in_a_tunnel_goes_around_it() -> None:
    picture = of_topology(load_nested())
    legs = legs_of(picture)
    outer, inner = picture.tunnels
    assert ranks(picture, legs) == {outer: 0, inner: 1}
    assert {leg for leg in legs[outer] if isinstance(leg, Across)} <= set(legs[inner])


def load_nested() -> Topology:
    tree = vpn(1).written()
    for name, address in (("hub", "10.201.0.1/24"), ("spoke0", "10.201.0.2/24")):
        tree["namespaces"][name]["interfaces"]["in0"] = {"kind": "tun", "addresses": [address]}
    tree["ttun"] += [
        {"device": "hub:in0", "bind": "10.200.0.1:7", "peer": "10.200.0.2:7"},
        {"device": "spoke0:in0", "bind": "10.200.0.2:7", "peer": "10.200.0.1:7"},
    ]
    return Topology.read(tree)


def crossings_of(drawn: Layout) -> int:
    """How often cables cross between two columns."""
    gaps: dict[tuple[float, float], list[tuple[float, float]]] = {}
    for path in drawn.cables.values():
        for curve in path:
            first, last = sorted((curve[0], curve[-1]))
            if first.y != last.y or len(curve) == 4 or len(path) == 1:
                gaps.setdefault((first.x, last.x), []).append((first.y, last.y))
    return sum(map(crossings, gaps.values()))
