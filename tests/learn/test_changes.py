"""A merge patch is what RFC 7386 says, by its own examples; what it makes of a topology is judged as a file is."""

from __future__ import annotations

from typing import Any

import pytest

from labctl.learn.changes import edited, merged
from labctl.topology.mistakes import TopologyMistakes
from labctl.topology.model import Topology

APPENDIX_A: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("value", "patch", "expected"), APPENDIX_A)
def test_a_merge_patch_is_that_of_the_rfc(value: Any, patch: Any, expected: Any) -> None:
    assert merged(value, patch) == expected


def test_a_topology_is_edited_and_judged() -> None:
    topology = Topology.load("two-site")
    address = {"namespaces": {"siteB": {"interfaces": {"tun1": {"addresses": ["10.0.102.9/24"]}}}}}
    after = edited(topology, [address, {"checks": None}])
    found = after.namespaces["siteB"].interfaces["tun1"].written()
    assert found["addresses"] == ["10.0.102.9/24"] and found["kind"] == "tun"
    assert after.namespaces["siteA"] == topology.namespaces["siteA"]
    with pytest.raises(TopologyMistakes, match="tun1"):
        edited(topology, [{"namespaces": {"siteB": {"interfaces": {"tun1": None}}}}])
