"""A file with checks for a lab that runs: a teacher's, say, for the lab of a student.

It has `checks:` and nothing else, or it is a topology, of which the checks are taken. They are judged against the
topology of the lab, as if they stood in its own file; every mistake is located in theirs.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from labctl.errors import UsageError
from labctl.frozen import frozen
from labctl.topology.load import routed_in, text_of, tree_of
from labctl.topology.model import PROBES, Check, Topology
from labctl.topology.program_paths import anchored, directory_of
from labctl.topology.source import name_of

_EXAMPLE = "for example: checks: [{name: across, ping: {from: siteA, to: 10.0.102.1}}]"


@frozen
class ChecksFile:
    """The text of a file with checks, what messages call it, and where its paths begin."""

    text: str
    name: str
    directory: str


def read(path: Path) -> ChecksFile:
    """Return a file as it is now. Raise UsageError where it cannot be read as text."""
    return ChecksFile(text_of(path), name_of(path), directory_of(path))


def checks_for(topology: Topology, file: ChecksFile) -> tuple[Check, ...]:
    """Return the checks of a file for a lab. Raise UsageError, FileMistakes where they do not fit."""
    tree = tree_of(file.text, file.name)
    value = tree.root.value
    if not isinstance(value, dict) or "checks" not in value:
        raise UsageError(f"{file.name} has no checks", "the key `checks` is missing", _EXAMPLE)
    foreign = {} if "namespaces" in value else {key: value[key] for key in value if key not in ("name", "description")}
    lab = topology.written()
    merged = {**lab, **foreign, "checks": _named_as_in(topology, value["checks"])}
    found = routed_in(tree, merged, file.text, file.name, file.directory)
    return anchored(found.topology, file.directory).checks


def _named_as_in(topology: Topology, checks: Any) -> Any:
    """Return checks with the names of namespaces that a lab has: those of one that is called otherwise have a prefix.

    The checks may be anything: whether they are right is judged later.
    """
    if not isinstance(checks, list):
        return checks
    return [_named(topology, check) if isinstance(check, dict) else check for check in checks]


def _named(topology: Topology, check: dict[str, Any]) -> dict[str, Any]:
    found = dict(check)
    for key in PROBES:
        if isinstance(probe := check.get(key), dict):
            found[key] = {word: _space(topology, word, value) for word, value in probe.items()}
    for key in ("crosses", "quiet"):
        if isinstance(refs := check.get(key), list):
            found[key] = [_interface(topology, ref) for ref in refs]
    return found


def _space(topology: Topology, key: str, value: Any) -> Any:
    return _meant(topology.name, value, topology.namespaces) if key in ("from", "in", "to") else value


def _interface(topology: Topology, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    space, colon, interface = value.partition(":")
    return f"{_meant(topology.name, space, topology.namespaces)}{colon}{interface}"


def _meant(lab: str, name: Any, known: Collection[str]) -> Any:
    """Return a name with the prefix of its lab, where the lab has it only so."""
    prefixed = f"{lab}-{name}"
    return prefixed if isinstance(name, str) and name not in known and prefixed in known else name
