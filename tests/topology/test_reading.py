"""The reader of the models: what was written is read as the same, and any plain value is read or told to be wrong."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.learn.lesson.model import Lesson
from labctl.topology.load import load
from labctl.topology.markers import Bounded
from labctl.topology.model import Ping, Topology
from labctl.topology.model.base import ModelClass
from labctl.topology.reading import read
from labctl.topology.scalars import Unfit, decimal, text, truth, whole
from labctl.topology.shipped import find, names

SHIPPED = [load(find(name)).written() for name in names()]
BYTES = st.binary(max_size=3)
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, 0, 1, -1, 1.5, 2.0, math.inf, math.nan, 10**400, "", " ", "x" * 5000, "12", "1.0", "٣", "1_000"]
) | st.dates() | BYTES | st.text(max_size=5)  # fmt: skip
PLAIN = st.recursive(
    ODD,
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "to", "via", "a", "name", "namespaces", "steps"]), below, max_size=3)
    ),
    max_leaves=8,
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path to each value below a value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, below in parts for path in [(*here, key), *paths(below, (*here, key))]]


def changed(topology: dict[str, Any], data: st.DataObject) -> dict[str, Any]:
    """Return a copy of a topology in which a value is another one, or its key another one, or absent."""
    copy = json.loads(json.dumps(topology))
    *around, last = data.draw(st.sampled_from(paths(topology)))
    part = copy
    for step in around:
        part = part[step]
    before = part.pop(last)
    if isinstance(part, list):
        part.insert(last, data.draw(PLAIN))
    elif data.draw(st.booleans()):
        part[last] = data.draw(PLAIN)
    elif data.draw(st.booleans()):
        part[f"{last}s"] = before
    return dict(copy)


@pytest.mark.parametrize(
    ("bounds", "count", "interval"), [({"rtt": None}, 3, 0.05), ({"loss": {"at_most": "5%"}}, 1000, 0.01)]
)
def test_a_bound_without_a_value_is_as_one_that_is_absent(bounds: dict[str, Any], count: int, interval: float) -> None:
    for written in (bounds, {**bounds, "loss": bounds.get("loss"), "rtt": None}):
        found = Ping.read({"from": "a", "to": "10.0.0.1", **written})
        assert (found.count, found.interval) == (count, interval)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(SHIPPED), st.data())
def test_what_was_read_is_written_and_read_as_the_same(topology: dict[str, Any], data: st.DataObject) -> None:
    found, broken = read(Topology, changed(topology, data))
    assert (found is None) == bool(broken)
    if found is not None:
        assert read(Topology, json.loads(json.dumps(found.written()))) == (found, [])
    for one in broken:
        assert one.what
        assert one.cut[: len(one.path)] == one.path[: len(one.cut)], "what is left out is wrong, or has it in it"


@pytest.mark.parametrize("model", [Topology, Lesson])
@settings(deadline=None, max_examples=100)
@given(value=PLAIN)
def test_no_value_is_a_surprise(model: ModelClass, value: Any) -> None:
    found, broken = read(model, value)
    assert (found is None) == bool(broken)


@given(ODD | st.lists(ODD, max_size=2))
def test_a_scalar_is_of_its_type_or_unfit(value: Any) -> None:
    for reader, kind in ((text, str), (whole, int), (decimal, float), (truth, bool)):
        with contextlib.suppress(Unfit):
            assert type(reader(value, Bounded())) is kind


@pytest.mark.parametrize(
    ("written", "number"),
    [(7, 7), (7.0, 7), ("7", 7), (" 7 ", 7), ("+7", 7), ("-7", -7), ("007", 7), ("7.00", 7), ("1_000", 1000)],
)
def test_a_whole_number_in_all_its_forms(written: Any, number: int) -> None:
    assert whole(written, Bounded()) == number
    assert decimal(written, Bounded()) == number


@pytest.mark.parametrize("written", [True, None, "", "٣", "0x10", "7 7", "_7", "7_", "1__0", math.nan, "inf", [7]])
def test_what_is_no_number(written: Any) -> None:
    for reader in (whole, decimal):
        with pytest.raises(Unfit, match=r"must be a (whole )?number, found "):
            reader(written, Bounded())


def test_a_point_alone_makes_no_whole_number() -> None:
    with pytest.raises(Unfit, match="must be a whole number"):
        whole("5.", Bounded())


@pytest.mark.parametrize("written", [10**50, str(10**50)])
def test_a_number_of_many_digits_is_too_large(written: Any) -> None:
    for reader in (whole, decimal):
        with pytest.raises(Unfit) as caught:
            reader(written, Bounded(le=4096))
        assert (caught.value.what, caught.value.hint) == (f"is {written}", "it must be at most 4096")


@pytest.mark.parametrize("written", [True, 1, 1.0, "1", "yes", "ON", "t"])
def test_what_is_true(written: Any) -> None:
    assert truth(written, Bounded())


@pytest.mark.parametrize("written", [None, 2, 0.5, "", "maybe", " true", [], math.nan])
def test_what_is_neither_true_nor_false(written: Any) -> None:
    with pytest.raises(Unfit, match="must be true or false, found "):
        truth(written, Bounded())
