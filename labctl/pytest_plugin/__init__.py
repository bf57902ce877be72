"""The pytest plugin: every check of a topology is a test, and a test has a lab by a fixture.

pytest loads this module in every run, also where nothing of it is used: it imports nothing of labctl before it is.

    collect.py    files whose checks are tests
    failure.py    how what went wrong reads in a report
    fixtures.py   `lab`, `labs` and the marker that says of which topology
    labs.py       a lab of one run, under a name of its own
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.pytest_plugin.fixtures import MARKER, lab, labs

if TYPE_CHECKING:
    from pathlib import Path

    from labctl.pytest_plugin.collect import LabFile

__all__ = ["lab", "labs"]

SUFFIXES = (".lab.yaml", ".lab.yml")
"""Files that are collected wherever pytest finds them."""

FILES = pytest.StashKey[frozenset["Path"]]()
"""The files of --lab."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("labctl")
    group.addoption(
        "--lab",
        action="append",
        default=[],
        metavar="FILE|NAME",
        help="Run the checks of this topology file, or of a topology that ships with labctl; may be repeated. "
        "Where no other files are named, nothing else is run.",
    )
    group.addoption(
        "--lab-inventory",
        metavar="FILE",
        help="Have the labs over the hosts of this inventory; it names those that each namespace is on.",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    config.stash[FILES] = frozenset()
    if config.option.lab:
        _add_files(config)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> LabFile | None:
    if not (file_path.name.endswith(SUFFIXES) or file_path in parent.config.stash[FILES]):
        return None
    from labctl.pytest_plugin.collect import LabFile

    return LabFile.of(parent, file_path)


def _add_files(config: pytest.Config) -> None:
    """Have the files of --lab collected. Raise pytest.UsageError for one that is not there."""
    from labctl.errors import LabError
    from labctl.topology.shipped import find

    try:
        found = [config.invocation_params.dir / find(file) for file in config.option.lab]
    except LabError as error:
        raise pytest.UsageError(f"--lab: {error}") from None
    for path in found:
        if not path.is_file():
            raise pytest.UsageError(f"--lab: there is no file {path}")
    config.stash[FILES] = frozenset(path.resolve() for path in found)
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args.clear()
    config.args += map(str, found)
