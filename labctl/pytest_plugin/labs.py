"""Labs of one test run: each under a name that no other has, and gone when the process of the run is."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from labctl.api.client import client
from labctl.api.lab import Lab
from labctl.errors import LabError
from labctl.pytest_plugin import failure
from labctl.topology.model import Topology


class Labs:
    """Makes labs that do not meet others. What works for them is started once for the process of a run.

    They are over the hosts of an inventory, where one is named.
    """

    def __init__(self, inventory: str | None = None) -> None:
        self._client = client()
        self._inventory = inventory

    def up(self, topology: str | os.PathLike[str] | Topology) -> AbstractContextManager[Lab]:
        """Return a lab for the body of a `with`: of a topology, of a file, or of one that ships with labctl."""
        return _up(topology if isinstance(topology, Topology) else Path(topology), self._inventory)


_LABS = pytest.StashKey[Labs]()


def labs_of(session: pytest.Session) -> Labs:
    """Return what makes the labs of a run."""
    if _LABS not in session.stash:
        session.stash[_LABS] = Labs(session.config.option.lab_inventory)
    return session.stash[_LABS]


@contextmanager
def _up(topology: Path | Topology, inventory: str | None) -> Iterator[Lab]:
    """Yield a lab. Fail with the lines of labctl where it cannot be made or ended."""
    own = topology.name if isinstance(topology, Topology) else topology.name.partition(".")[0]
    name = f"pytest-{secrets.token_hex(5)}"
    with told(name, own):
        lab = Lab.up(topology, name=name, inventory=inventory, tied=True)
    try:
        yield lab
    finally:
        with told(name, own):
            lab.down()


@contextmanager
def told(name: str, own: str) -> Iterator[None]:
    """Fail with the lines of labctl, and without a stack, where the body raises LabError."""
    try:
        yield
    except LabError as error:
        text = failure.without_prefix(failure.of_error(error), name, own)
        raise pytest.fail.Exception(text, pytrace=False) from None
