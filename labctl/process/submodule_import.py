"""Importing a submodule of a library without what the __init__ of its package imports."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def submodules_of(package: str) -> Iterator[None]:
    """Have submodules of a package import alone in the body: its __init__ is not run, an empty package replaces it."""
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
