"""Loading one module of a library without all that its package loads."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def bare(package: str) -> Iterator[None]:
    """Have modules of a package load alone in the body: an empty package stands in its place for so long."""
    if package in sys.modules:
        yield
        return
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations is not None
    empty = ModuleType(package)
    empty.__path__ = list(spec.submodule_search_locations)
    sys.modules[package] = empty
    try:
        yield
    finally:
        del sys.modules[package]
