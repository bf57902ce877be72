"""A server with students, for the tests that look at one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.learn.classroom.school import School, school


def needs_root() -> None:
    """A class is what root sees of other users."""
    if os.geteuid() != 0:
        if os.environ.get("CI"):
            pytest.fail("CI must run the suite as root: the class would be missing")
        pytest.skip("needs root: a class is what root sees of other users")


@pytest.fixture(scope="module")
def two() -> Iterator[School]:
    """Two students, each with a lab two-site."""
    needs_root()
    with school(2) as made:
        made.together("up", "two-site")
        yield made
