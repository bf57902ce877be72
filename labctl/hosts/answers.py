"""What a host answers, as JSON: plain data, of labctl's own types alone.

An answer comes from a machine that may be another's by now, so it is not unpickled, which would run what it says. It is
built of what JSON has, of the collections and addresses of Python, and of labctl's dataclasses, named tuples, enums
and errors, whose fields are set and whose code is not called; an error alone is called with its arguments. Each
field is of the type that its annotation says.
"""

from __future__ import annotations

import base64
import importlib
import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from pathlib import PosixPath
from typing import Any

from labctl.errors import LabError
from labctl.hosts.annotations import fields_of, fits, parameters_of

PACKAGES = ("checks", "diagnosis", "engine", "errors", "kernel", "lab", "live", "plan", "rootless", "topology", "trace")
"""The packages of labctl whose types an answer may have."""

_SCALARS = (type(None), bool, int, float, str)
_COLLECTIONS: Mapping[str, Callable[[list[Any]], Any]] = {
    "list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "dict": dict,
}  # fmt: skip
_WRITTEN: Mapping[str, Callable[[str], Any]] = {
    each.__name__: each
    for each in (
        *(ipaddress.IPv4Address, ipaddress.IPv4Interface, ipaddress.IPv4Network),
        *(ipaddress.IPv6Address, ipaddress.IPv6Interface, ipaddress.IPv6Network),
        *(Decimal, PosixPath),
    )
}


class NotPlain(ValueError):
    """An answer is not what labctl of this version sends, or cannot be sent."""


def dumps(value: object) -> bytes:
    """Return a value as JSON. Raise NotPlain for a type that no answer has."""
    return json.dumps(_tree(value), separators=(",", ":")).encode()


def loads(text: bytes) -> Any:
    """Return the value of which this is the JSON. Raise NotPlain for anything else."""
    try:
        return _value(json.loads(text))
    except NotPlain:
        raise
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError, ImportError) as error:
        raise NotPlain(f"{type(error).__name__}: {error}") from None


def _tree(value: Any) -> Any:
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is dict:
        return ["dict", [[_tree(key), _tree(item)] for key, item in value.items()]]
    if kind.__name__ in _COLLECTIONS and kind.__module__ == "builtins":
        return [kind.__name__, [_tree(item) for item in value]]
    if kind is bytes:
        return ["bytes", base64.b64encode(value).decode()]
    if kind in _WRITTEN.values():
        return [kind.__name__, str(value)]
    return [_name(kind), *_parts(value)]


def _parts(value: Any) -> list[Any]:
    """Return what a value of one of labctl's types is made of."""
    kind = type(value)
    if isinstance(value, Enum):
        return [value.name]
    if isinstance(value, tuple):
        return [[_tree(item) for item in value]]
    if isinstance(value, LabError):
        return [[_tree(item) for item in value.args]]
    if is_dataclass(value):
        return [{each.name: _tree(getattr(value, each.name)) for each in fields(value)}]
    raise NotPlain(f"{kind.__module__}.{kind.__qualname__} is no plain data")


def _value(tree: Any) -> Any:
    if isinstance(tree, _SCALARS):
        return tree
    name, *parts = tree
    if name == "dict":
        return {_value(key): _value(item) for key, item in parts[0]}
    if name in _COLLECTIONS:
        return _COLLECTIONS[name]([_value(item) for item in parts[0]])
    if name == "bytes":
        return base64.b64decode(parts[0])
    if name in _WRITTEN:
        return _WRITTEN[name](parts[0])
    return _made(_type(name), *parts)


def _made(kind: Any, parts: Any) -> Any:
    """Return a value of one of labctl's types, made of its parts."""
    if issubclass(kind, Enum):
        return kind[parts]
    if issubclass(kind, LabError):
        arguments = [_value(item) for item in parts]
        if not all(map(fits, arguments, parameters_of(kind.__init__))):
            raise NotPlain(f"{kind.__name__}{tuple(arguments)} is no error of labctl")
        return kind(*arguments)
    if issubclass(kind, tuple):
        return kind._make(_fields(kind, dict(zip(kind._fields, parts, strict=True))).values())
    made = object.__new__(kind)
    for name, value in _fields(kind, {each.name: parts[each.name] for each in fields(kind)}).items():
        object.__setattr__(made, name, value)
    return made


def _fields(kind: type, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the fields of a type. Raise NotPlain for one that is not of the type of its field."""
    values, hints = {name: _value(part) for name, part in parts.items()}, fields_of(kind)
    for name, value in values.items():
        if not fits(value, hints[name]):
            raise NotPlain(f"{name} of {kind.__name__} is of type {type(value).__name__}")
    return values


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


@cache
def _type(name: str) -> Any:
    """Return the type of labctl that has a name. Raise NotPlain where it is none that an answer may have."""
    module, _, attribute = name.partition(":")
    root, *packages = module.split(".")
    if root != "labctl" or not packages or packages[0] not in PACKAGES or packages[-1] == "__main__":  # which would run
        raise NotPlain(f"{name} is no type of an answer")
    kind = getattr(importlib.import_module(module), attribute)
    if not isinstance(kind, type) or kind.__module__ != module or not _is_plain(kind):
        raise NotPlain(f"{name} is no type of an answer")
    return kind


def _is_plain(kind: Any) -> bool:
    is_named_tuple = issubclass(kind, tuple) and hasattr(kind, "_make")
    return is_dataclass(kind) or is_named_tuple or issubclass(kind, Enum | LabError)
