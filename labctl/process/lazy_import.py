"""Modules that are loaded when they are first used, if ever."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType


def lazily(name: str) -> None:
    """Have a module load once something of it is used, unless it is loaded already.

    `import` finds a module in its place that has nothing but a way to the other (PEP 562). (That of
    importlib.util.LazyLoader loads as soon as it is found: `import` looks at its `__spec__`.)
    """

    def first_used(attribute: str) -> object:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
        return getattr(import_module(name), attribute)

    stand_in = ModuleType(name)
    stand_in.__dict__["__getattr__"] = first_used
    sys.modules.setdefault(name, stand_in)
