"""Every lab test runs in both modes, and ends with a proof that the machine is as it was."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.world import World, world


def possible(mode: str) -> None:
    """As an ordinary user only the rootless half can run; in CI that is a failure, not a skip."""
    if mode == "root" and os.geteuid() != 0:
        if os.environ.get("CI"):
            pytest.fail("CI must run the suite as root: half of it would be missing")
        pytest.skip("needs root; run the suite as root to test both modes")


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> None:
    """A shell starts what it puts into the background deaf to Ctrl-C (`make test &`), and all that this starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@contextmanager
def unchanged(request: pytest.FixtureRequest, mode: str) -> Iterator[World]:
    """Yield a person on a machine of their own, on which everything is as it was afterwards."""
    possible(mode)
    with world(mode) as made:
        before = made.snapshot()
        yield made
        if request.node.stash.get(FAILED, False):
            made.labctl("down", "--all", code=None)  # a test that was cut off has not come to its own
            return
        assert _differences(before, made.snapshot_when(before)) == []


def _differences(before: dict[str, list[Any]], now: dict[str, list[Any]]) -> list[tuple[str, str, Any]]:
    """What was there before and is gone, and what is there now and is new; as often as it is."""
    return [
        (key, word, one)
        for key in before
        for word, old, new in (("new", before[key], now[key]), ("gone", now[key], before[key]))
        for one in (Counter(map(repr, new)) - Counter(map(repr, old))).elements()
    ]


@pytest.fixture(params=["root", "rootless"])
def here(request: pytest.FixtureRequest) -> Iterator[World]:
    """A person on a machine of their own; after the test everything on it is as it was."""
    with unchanged(request, request.param) as made:
        yield made


@pytest.fixture
def as_root(request: pytest.FixtureRequest) -> Iterator[World]:
    """Only root: for what an ordinary user cannot do by design."""
    with unchanged(request, "root") as made:
        yield made


@pytest.fixture
def as_user(request: pytest.FixtureRequest) -> Iterator[World]:
    """Only an ordinary user: for what concerns rootless environments."""
    with unchanged(request, "rootless") as made:
        yield made
