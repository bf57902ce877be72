"""Whether a value is what an annotation says: what comes from a host is looked at before anything is made of it.

Names that a module imports for a type checker alone are imported here, from where the module says.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import sys
from collections.abc import Callable, Collection, Mapping
from functools import cache, partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints


def fits(value: object, hint: Any) -> bool:
    """Return whether a value is of an annotated type, with all that is in it. What is no class is not looked at."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is None:
        return _is_of(value, hint)
    if origin in (Union, UnionType):
        return any(fits(value, each) for each in inner)
    if origin is Literal:
        return value in inner
    if not isinstance(value, origin):
        return False
    if isinstance(value, Mapping):
        return all(fits(key, inner[0]) and fits(item, inner[1]) for key, item in value.items())
    if isinstance(value, tuple) and origin is tuple and inner[-1:] != (...,):
        return len(value) == len(inner) and all(map(fits, value, inner))
    return not isinstance(value, Collection) or all(fits(each, inner[0]) for each in value)


def _is_of(value: object, hint: Any) -> bool:
    if isinstance(hint, NewType):
        return fits(value, hint.__supertype__)
    if hint is float:
        return isinstance(value, int | float)
    return not isinstance(hint, type) or isinstance(value, NoneType if hint is None else hint)


@cache
def fields_of(kind: type) -> Mapping[str, Any]:
    """Return the annotations of the fields of a class."""
    return get_type_hints(kind, localns=_Names(kind.__module__))


@cache
def parameters_of(function: Callable[..., object]) -> tuple[Any, ...]:
    """Return the annotations of the parameters of a function, in their order."""
    return tuple(hint for name, hint in _hints(function).items() if name != "return")


def result_of(work: Callable[..., object]) -> Any:
    """Return the annotation of what some work returns."""
    return _hints(work.func if isinstance(work, partial) else work)["return"]


@cache
def _hints(function: Callable[..., object]) -> Mapping[str, Any]:
    return get_type_hints(function, localns=_Names(function.__module__))


class _Names(dict[str, Any]):
    """What names mean in a module, of those that it does not have when it runs."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __missing__(self, name: str) -> Any:
        if hasattr(sys.modules[self._module], name) or hasattr(builtins, name):
            raise KeyError(name)  # which is looked for there next
        self[name] = getattr(importlib.import_module(_imported(self._module)[name]), name)
        return self[name]


@cache
def _imported(module: str) -> Mapping[str, str]:
    """Return the names that a module imports, and from where."""
    tree = ast.parse(Path(sys.modules[module].__file__ or "").read_text())
    froms = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return {each.name: node.module or "" for node in froms for each in node.names}
