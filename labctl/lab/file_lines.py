"""Where the parts of the topology file of a lab stand, for what a diagnosis says of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from labctl.diagnosis.facts import File
from labctl.errors import LabError
from labctl.plan.desired import Desired
from labctl.topology.model import Topology
from labctl.topology.rename import given_name
from labctl.topology.shipped import as_typed, shorter


def file_of(file: str, wanted: Desired, inventory: str = "") -> File:
    """Return the file that a lab was made from, and the inventory of its hosts, by their paths; empty for none."""
    topology = wanted.topology
    typed = as_typed(file, inventory, given_name(topology.name, topology.namespaces))
    return File(typed, shorter(file), partial(_lines, file, wanted))


def _is_of(made: Topology, written: Topology) -> bool:
    """Return whether a lab is what is written, but for its hosts, and for the MTU that cables between them have."""
    return _on_no_host(made, written) == _on_no_host(written, written)


def _on_no_host(topology: Topology, written: Topology) -> Topology:
    spaces = {}
    for name, space in topology.namespaces.items():
        meant = written.namespaces[name].interfaces if name in written.namespaces else {}
        fitted = {each for each, interface in meant.items() if topology.hosts and interface.mtu is None}
        interfaces = {
            each: interface.replace(mtu=None) if each in fitted else interface
            for each, interface in space.interfaces.items()
        }
        spaces[name] = space.replace(host=None, interfaces=interfaces)
    return topology.replace(namespaces=spaces, hosts={})


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
        if not file or not _is_of(wanted.topology, renamed(written := load_routed(Path(file)), lab).topology):
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
