"""Where the parts of the topology file of a lab stand, for what a diagnosis says of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from labctl.diagnosis.facts import File
from labctl.errors import LabError
from labctl.plan.desired import Desired
from labctl.topology.shipped import as_typed


def file_of(file: str, wanted: Desired) -> File:
    """Return the file that a lab was made from, by its path; empty where it was none."""
    path = min(file, os.path.relpath(file), key=len) if file else ""
    return File(as_typed(file), path, partial(_lines, file, wanted))


def _lines(file: str, wanted: Desired) -> dict[tuple[str | int, ...], int]:
    """Return where the parts of a file stand, by their paths; none where it is not what the lab was made from.

    The lines of a ruleset are parts of it, by their numbers. The paths have the names of namespaces in
    the lab, which may be called otherwise than in its file.
    """
    from labctl.topology import yaml_tree
    from labctl.topology.load import load_routed, text_of
    from labctl.topology.rename import renamed
    from labctl.topology.rulesets import At, Rulesets

    lab = wanted.topology.name
    try:
        if not file or renamed(written := load_routed(Path(file)), lab).topology != wanted.topology:
            return {}
    except LabError:  # it has mistakes by now, or is gone
        return {}
    topology = written.topology
    text = text_of(Path(file))
    tree = yaml_tree.read(text)
    if tree is None:
        return {}
    rulesets = Rulesets(text)
    of_rulesets: dict[tuple[str | int, ...], int] = {
        ("namespaces", name, "nft", number): place.line + 1
        for name, space in topology.namespaces.items()
        for number, _ in enumerate((space.nft or "").splitlines(), 1)
        if (place := rulesets.position(space.nft or "", At(number, 1)))
    }
    of_parts = {path: tree.position(path).line + 1 for path in _paths(tree.root.value)}
    prefix = f"{lab}-" if lab != topology.name else ""
    return {_prefixed(path, prefix): line for path, line in (of_parts | of_rulesets).items()}


def _prefixed(path: tuple[str | int, ...], prefix: str) -> tuple[str | int, ...]:
    """Return the path of a part of a file in a lab whose namespaces have a prefix."""
    match path:
        case "namespaces", name, *inside:
            return "namespaces", f"{prefix}{name}", *inside
    return path


def _paths(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in items:
        yield from _paths(inside, (*path, key))
