"""Namespaces of root and of an ordinary user, which end with the test or the module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.e2e.conftest import possible
from tests.kernel.space import Space


@pytest.fixture(params=["root", "rootless"])
def space(request: pytest.FixtureRequest) -> Iterator[Space]:
    possible(request.param)
    with closing(Space(request.param)) as made:
        yield made


@pytest.fixture(params=["root", "rootless"], scope="module")
def shared(request: pytest.FixtureRequest) -> Iterator[Space]:
    """One for all tests of a module, which leave it as it was."""
    possible(request.param)
    with closing(Space(request.param)) as made:
        yield made
