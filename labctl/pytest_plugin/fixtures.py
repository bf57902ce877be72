"""The fixtures: a lab for a test, or for all tests of a module or a session, and labs for fixtures of one's own.

Nothing of labctl is loaded before one of them is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.pytest_plugin.labs import Labs

MARKER = (
    "lab(file, scope='function'): the topology of the fixture `lab`: a file, relative to that of the test, or one that "
    "ships with labctl; and for how long the lab stays: function, class, module or session"
)

SCOPES = {"class": pytest.Class, "module": pytest.Module, "session": pytest.Session}
"""The nodes with which a lab ends that more than one test uses."""

_SHARED = pytest.StashKey[dict[str, "Lab | BaseException"]]()
"""The labs that end with a node, by file; where one could not be made, what kept it from that."""


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Return the lab of the marker `lab`, up. It is taken down after the test, or after the last of its scope."""
    file, scope = _marked(request)
    if scope == "function":
        with _labs(request.session).up(file) as made:
            yield made
    else:
        yield _shared(request.node.getparent(SCOPES[scope]), file)


@pytest.fixture(scope="session")
def labs(request: pytest.FixtureRequest) -> Labs:
    """Return what makes labs for fixtures of one's own, of any scope."""
    return _labs(request.session)


def _labs(session: pytest.Session) -> Labs:
    from labctl.pytest_plugin.labs import labs_of

    return labs_of(session)


def _marked(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Return the file and the scope that the marker says. Fail where there is none, or where it is wrong."""
    marker = request.node.get_closest_marker("lab")
    if marker is None:
        pytest.fail(
            f"{request.node.name} uses the fixture `lab`, and no marker names a topology for it\n"
            '  → @pytest.mark.lab("two-site.yaml"), a file beside that of the test',
            pytrace=False,
        )
    return _checked(request, *marker.args, **marker.kwargs)


def _checked(request: pytest.FixtureRequest, *files: Any, scope: str = "function", **others: Any) -> tuple[str, str]:
    node = request.node
    wrong = (
        len(files) != 1 or others or not isinstance(files[0], str | os.PathLike)
        or scope not in ("function", *SCOPES) or (scope != "function" and node.getparent(SCOPES[scope]) is None)
    )  # fmt: skip
    if wrong:
        words = [*map(repr, files), *(f"{key}={value!r}" for key, value in {"scope": scope, **others}.items())]
        pytest.fail(
            f"{node.name} is marked lab({', '.join(words)})\n"
            f"  it takes one file, and a scope around the test: function, {', '.join(SCOPES)}",
            pytrace=False,
        )
    beside = node.path.parent / files[0]
    return (str(beside) if beside.exists() or os.sep in os.fspath(files[0]) else os.fspath(files[0])), scope


def _shared(node: pytest.Collector, file: str) -> Lab:
    """Return the lab of a file that ends with a node, made by the first test that asks. Fail where it cannot be."""
    made = node.stash.setdefault(_SHARED, {})
    if file not in made:
        until_the_end = ExitStack()
        node.addfinalizer(until_the_end.close)
        try:
            made[file] = until_the_end.enter_context(_labs(node.session).up(file))
        except pytest.fail.Exception as error:
            made[file] = error
    found = made[file]
    if isinstance(found, BaseException):
        raise found
    return found
