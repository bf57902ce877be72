"""A lab of one test run: under a name that no other has, and gone when the process of the run is."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from labctl.cli.labs import desired_of, file_of
from labctl.errors import LabError
from labctl.lab import guardian
from labctl.lab.down import end
from labctl.lab.engines.forkserver_client import forkserver
from labctl.lab.up import UpReport
from labctl.lab.up import up as make
from labctl.lab.verify import Verified, verify
from labctl.pytest_plugin import failure
from labctl.process.processes import own
from labctl.rootless.context import Context, context_of_new


class Lab:
    def __init__(self, name: str, context: Context):
        self.name = name
        self._context = context

    @classmethod
    @contextmanager
    def up(cls, file: str, name: str) -> Iterator[Lab]:
        with forkserver() as server:
            desired, source, owner = desired_of(file, name), file_of(file), own()
            context = context_of_new(name)

            def work() -> UpReport:
                with make(desired, source, context.mode, server.at(context), lambda _: None, owner) as made:
                    return made

            try:
                with context.tied(guardian.command(name, owner)):
                    context.call(work)
            except BaseException:
                context.abandon()
                raise
        try:
            yield cls(name, context)
        finally:
            end(name, context)

    def verify(self, *checks: str) -> Verified:
        from labctl.checks.probes import Probes

        return self._context.call(lambda: verify(self.name, checks, Probes, lambda _: None))


class Labs:
    """Makes labs that do not meet others."""

    def up(self, file: str | os.PathLike[str]) -> AbstractContextManager[Lab]:
        """Return a lab of a topology file, or of one that ships with labctl, for the body of a `with`."""
        return up(os.fspath(file))


@contextmanager
def up(file: str) -> Iterator[Lab]:
    """Yield a lab under a name that no other has. Fail with the lines of labctl where it cannot be made or ended."""
    with told():
        manager = Lab.up(file, f"pytest-{secrets.token_hex(4)}")
        made = manager.__enter__()
    yield made
    with told():
        manager.__exit__(None, None, None)


@contextmanager
def told() -> Iterator[None]:
    """Fail with the lines of labctl, and without a stack, where the body raises LabError."""
    try:
        yield
    except LabError as error:
        pytest.fail(failure.of_error(error), pytrace=False)
