"""Three machines for all tests of a run: one that a person sits at, and two hosts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from tests.hosts.machines import SSHD, Machine, machines


class Wire(NamedTuple):
    """The machines on one wire."""

    near: Machine
    srv1: Machine
    srv2: Machine

    @property
    def hosts(self) -> tuple[Machine, Machine]:
        return self.srv1, self.srv2


@pytest.fixture(scope="session")
def _machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    lacks = "needs root" if os.geteuid() else "" if os.path.exists(SSHD) else f"needs {SSHD} (openssh-server)"
    if lacks and os.environ.get("CI"):
        pytest.fail(f"CI must test labs over hosts: it {lacks}")
    if lacks:
        pytest.skip(lacks)
    with machines(tmp_path_factory.mktemp("machines"), ("near", "srv1", "srv2")) as found:
        yield Wire(*found)


@contextmanager
def standing(wire: Wire, file: str, text: str) -> Iterator[Wire]:
    """Have a lab stand for several tests; then nothing of it is left on any machine."""
    wire.near.labctl("up", wire.near.file(file, text))
    yield wire
    wire.near.labctl("down")
    for machine in wire:
        machine.is_as_before()


@pytest.fixture
def wire(_machines: Wire) -> Iterator[Wire]:
    """The machines; after the test nothing that it has started is left on any."""
    yield _machines
    for machine in _machines:
        machine.is_as_before()
