"""A topology file as a collector: one lab for each process that runs its checks, and each check a test.

The lab is made where the first of its checks is set up, and taken down after the last one, as pytest does with what
belongs to a file: also after -x, after Ctrl-C, and where it could not be made.

    failure   a check that has failed
    error     one that could not be asked: it has not passed, and nothing is known
    skipped   one that needs another, which has been reported by this very process as one that did not pass

The module is a plugin by itself, registered with the first file that is collected.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labctl.api.in_turn import InTurn
from labctl.checks.needs import in_order
from labctl.errors import LabError
from labctl.pytest_plugin import failure
from labctl.pytest_plugin.labs import labs_of, told
from labctl.topology import yaml_tree
from labctl.topology.load import load, text_of
from labctl.topology.shipped import as_typed

if TYPE_CHECKING:
    from labctl.checks.results import Result
    from labctl.lab.verify import Verified
    from labctl.topology.model import Check

PLUGIN = "labctl checks"


class NotAsked(Exception):
    """A check that could not be put to the lab."""

    __module__ = "builtins"  # as pytest's own: a report begins with the name of the class alone


class NoLab(pytest.fail.Exception):  # type: ignore[misc, name-defined]  # Exception is given to it by a decorator
    """The lab could not be made. Why is told once, and then only `afterwards`."""

    __module__ = "builtins"

    def __init__(self, why: str, afterwards: str) -> None:
        super().__init__(why, pytrace=False)
        self.afterwards = afterwards


class LabFile(pytest.File):
    """A topology file, and its lab while the checks run."""

    @classmethod
    def of(cls, parent: pytest.Collector, path: Path) -> LabFile:
        """Return the collector of a file; one outside the directory that pytest works in is named as --lab names it."""
        inside = path.is_relative_to(parent.config.rootpath)
        return cls.from_parent(parent, path=path, nodeid=None if inside else as_typed(str(path)))

    def collect(self) -> Iterator[CheckItem]:
        if not self.config.pluginmanager.hasplugin(PLUGIN):
            import labctl.pytest_plugin.collect as this_module

            self.config.pluginmanager.register(this_module, PLUGIN)
        try:
            path = Path(min(str(self.path), os.path.relpath(self.path), key=len))  # as messages show it
            topology, tree = load(path), yaml_tree.read(text_of(path))
        except LabError as error:
            raise self.CollectError(failure.of_error(error)) from None
        assert tree is not None, "it holds this topology"
        self.own_name = topology.name
        self.not_passed: set[str] = set()
        lines = {check.name: tree.position(("checks", number)).line for number, check in enumerate(topology.checks)}
        for check in in_order(topology.checks, topology.checks):
            yield CheckItem.from_parent(self, name=check.name, check=check, line=lines[check.name])

    def setup(self) -> None:
        """Make the lab. Raise NoLab, which pytest raises again for every other check."""
        self._until_torn_down = ExitStack()
        try:
            self.lab = self._until_torn_down.enter_context(labs_of(self.session).up(self.path))
            self.in_turn = self._until_torn_down.enter_context(closing(InTurn(self.lab.name)))
        except pytest.fail.Exception as error:
            raise NoLab(
                str(error), f"lab {self.own_name} could not be made, as the first of its checks tells"
            ) from None

    def teardown(self) -> None:
        """Take the lab down."""
        self._until_torn_down.close()


class CheckItem(pytest.Item):
    """A check as a test."""

    def __init__(self, *, check: Check, line: int, **more: Any) -> None:
        super().__init__(**more)
        self._check = check
        self._line = line
        if check.description:
            self.user_properties.append(("description", check.description))

    @property
    def _file(self) -> LabFile:
        assert isinstance(self.parent, LabFile)
        return self.parent

    def reportinfo(self) -> tuple[Any, int, str]:
        """Return the file, the line of the check in it (from 0), and what is shown of it."""
        return self.path, self._line, self.name

    def runtest(self) -> None:
        """Ask the check. Raise what pytest calls a failure or a skip, or NotAsked."""
        file, check = self._file, self._check
        lacks = [name for name in check.needs if name in file.not_passed]
        if lacks:
            file.not_passed.add(check.name)
            pytest.skip(f"it needs {' and '.join(lacks)}, which did not pass")
        file.not_passed.add(check.name)
        try:
            with told(file.lab.name, file.own_name):
                found = file.in_turn.verify(check.name)
        except pytest.fail.Exception as error:
            raise NotAsked(str(error)) from None
        result = next(result for result in found.results if result.name == check.name)
        if not result.passed:
            self._fail(found, result)
        file.not_passed.discard(check.name)

    def _fail(self, found: Verified, result: Result) -> None:
        """Report a check that has not passed, with the causes of it, or of what it needs and did not pass."""
        failed = [one for one in found.failed if one is result or one.name in result.lacks]
        texts = []
        for one in reversed(failed):  # what it needs comes before it
            causes = [cause for cause in found.diagnosis if one.name in cause.checks]
            texts.append(failure.of_check(one, causes))
            for cause in causes:
                self._add_property("hop", cause.hop)
                self._add_property("reason", cause.reason)
        text = failure.without_prefix("\n\n".join(texts), found.lab, self._file.own_name)
        if not result.asked:
            raise NotAsked(text)
        pytest.fail(text, pytrace=False)

    def _add_property(self, name: str, value: str) -> None:
        self.user_properties.append((name, failure.without_prefix(value, self._file.lab.name, self._file.own_name)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return what a report says."""
        return super().repr_failure(excinfo, "value" if isinstance(excinfo.value, NotAsked) else style)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report a check that could not be asked as an error: that is what pytest calls what fails before a test."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    if isinstance(item, CheckItem) and isinstance(error, pytest.skip.Exception):
        file, line, _ = item.reportinfo()
        report.longrepr = (str(file), line + 1, f"Skipped: {error.msg}")
    elif isinstance(error, NotAsked):
        report.when = "setup"
    elif isinstance(error, NoLab):
        error.msg = error.afterwards
    return report
