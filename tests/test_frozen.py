"""labctl.frozen: the same as dataclass(frozen=True), which is compared with here."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.frozen import frozen


@frozen
class Step:
    space: str


@frozen
class Route(Step):
    to: int = 0
    via: tuple[int, ...] = field(default=())


class Removal(Route):
    pass


@dataclass(frozen=True)
class Plain:
    space: str
    to: int = 0
    via: tuple[int, ...] = ()


VALUES = st.tuples(st.sampled_from("ab"), st.integers(0, 1), st.sampled_from([(), (1,)]))


@given(VALUES, VALUES)
def test_values_are_equal_where_those_of_a_plain_dataclass_are(one: tuple, other: tuple) -> None:  # type: ignore[type-arg]
    assert (Route(*one) == Route(*other)) is (Plain(*one) == Plain(*other))
    assert len({Route(*one), Route(*other)}) == len({Plain(*one), Plain(*other)})
    assert repr(Route(*one)) == repr(Plain(*one)).replace("Plain", "Route")


def test_values_of_two_classes_are_not_equal() -> None:
    assert Route("a") != Removal("a")
    assert Route("a") != Step("a")
    assert Removal("a") == Removal("a")


def test_a_value_is_not_changed_but_replaced() -> None:
    route = Route("a", 1)
    with pytest.raises(FrozenInstanceError):
        route.to = 2  # type: ignore[misc]
    assert replace(route, to=2) == Route("a", 2)
    assert hash(replace(route, to=1)) == hash(route)


@frozen
class Table:
    entries: list[int] = field(default_factory=list)
    _name: str = "main"

    def __post_init__(self) -> None:
        self.entries.append(0)


def test_a_value_is_made_as_that_of_a_plain_dataclass_is() -> None:
    assert Route("a", via=(1,)) == Route(space="a", to=0, via=(1,)) == Route("a", 0, (1,))
    assert Table() == Table([0][:0]) and Table().entries is not Table().entries
    for arguments in ((), ("a", 0, (), 1)):
        with pytest.raises(TypeError, match=r"Route\.__init__\(\)"):
            Route(*arguments)
    with pytest.raises(TypeError, match="unexpected keyword argument 'dev'"):
        Route("a", dev=1)  # type: ignore[call-arg]


def test_what_cannot_be_hashed_is_no_key() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Route("a", via=[1]))  # type: ignore[arg-type]
