"""A topology that a program builds: the words of a file as mappings and lists of Python, and the rules of a file.

A mistake is told by the path of keys that leads to it, as Python would write it: namespaces['siteA'].routes[0].via.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Set
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any

from labctl.topology.judge import Wrong, judged
from labctl.topology.mistakes import BuiltMistake, TopologyMistakes
from labctl.topology.model.base import Model
from labctl.topology.paths import Key, Path

_ADDRESSES = (IPv4Address, IPv6Address, IPv4Interface, IPv6Interface, IPv4Network, IPv6Network)


def checked(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a topology. Raise TopologyMistakes with all that is wrong with it."""
    found = judged(_plain(values), os.getcwd())
    if found.routed is None:
        raise TopologyMistakes(str(values.get("name", "the topology")), tuple(map(_placed, found.wrong)))
    return vars(found.routed.topology)


def _plain(value: Any) -> Any:
    """Return a value as a file would hold it."""
    match value:
        case Model():
            return value.written()
        case Mapping():
            return {str(key): _plain(below) for key, below in value.items()}
        case str() | bytes():
            return str(value)
        case Set():
            return sorted(map(_plain, value))
        case Iterable() if not isinstance(value, _ADDRESSES):
            return [_plain(below) for below in value]
        case os.PathLike():
            return os.fspath(value)
        case None | bool() | int() | float():
            return value
        case _:
            return str(value)


def _placed(wrong: Wrong) -> BuiltMistake:
    return BuiltMistake(_written(wrong.path), wrong.what, wrong.hint)


def _written(path: Path) -> str:
    """Return a path as Python would write it; of a key itself, that of the key's value."""
    text = ""
    for step in path:
        plain = isinstance(step, str) and step.isidentifier()
        text += f".{step}" if plain else f"[{str(step) if isinstance(step, Key) else step!r}]"
    return text.removeprefix(".") or "the topology"
