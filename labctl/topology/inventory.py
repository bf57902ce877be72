"""An inventory: the hosts of a lab, and which namespaces are on each, kept out of the topology file.

It is YAML with `hosts:` at its top, as a topology has it, where each host names its `namespaces` too; or one of
Ansible. What it says is put into the values of the topology file, and counts in place of what that says of hosts. Then
all of it is judged as one file would be, and each mistake is told where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from labctl.errors import UsageError
from labctl.frozen import frozen
from labctl.topology import ansible_inventory
from labctl.topology.cables import host_of
from labctl.topology.judge import Wrong, judged
from labctl.topology.load import at_places, text_of, tree_of
from labctl.topology.mistakes import BuiltMistake, Mistake, TopologyMistakes
from labctl.topology.model import Topology
from labctl.topology.model.inventory import Inventory
from labctl.topology.paths import Path as Keys
from labctl.topology.program_paths import directory_of
from labctl.topology.reading import read
from labctl.topology.routed import Routed
from labctl.topology.source import name_of, plain_file
from labctl.topology.unknown_names import did_you_mean
from labctl.topology.yaml_tree import Tree

_Told = Callable[[Sequence[Wrong]], Sequence[Mistake | BuiltMistake]]
"""Returns what is wrong at paths of a file, each with its place, and what is wrong with the form of the file."""


def load_over(path: Path, inventory: Path) -> Routed:
    """Return the topology in a file over the hosts of an inventory, with the ways of its tunnels.

    Raise UsageError, or its TopologyMistakes where a file can be read but is wrong.
    """
    text, directory = text_of(path), directory_of(path)
    return replace(loads_over(text, name_of(path), directory, inventory), file=plain_file(path))


def loads_over(text: str, filename: str, directory: str, inventory: Path) -> Routed:
    """Return the topology in a text over the hosts of an inventory, as `loads` does. Raise as `load_over` does."""
    tree = tree_of(text, filename)
    return _routed(tree.root.value, directory, filename, _located(tree, text, filename), _read(inventory))


def spread_over(topology: Topology, inventory: Path) -> Routed:
    """Return a topology that was built over the hosts of an inventory. Raise as `load_over` does."""
    values = topology.written()

    def told(wrong: Sequence[Wrong]) -> list[BuiltMistake]:
        return [BuiltMistake(".".join(map(str, one.path)), one.what, one.hint) for one in wrong]

    return _routed(values, "", topology.name, told, _read(inventory))


def _routed(values: Any, directory: str, name: str, told: _Told, inventory: _Read) -> Routed:
    found = judged(inventory.spread(values), directory)
    own = [one for one in found.wrong if inventory.place(one.path) is None]
    others = [one._replace(path=place) for one in found.wrong if (place := inventory.place(one.path))]
    here, there = told(own), inventory.told((*others, *inventory.unknown(values)))
    if found.routed is None or here or there:
        raise TopologyMistakes(name if here else inventory.name, (*here, *there))
    return replace(found.routed, topology=_without_unused_hosts(found.routed.topology))


def _without_unused_hosts(topology: Topology) -> Topology:
    """Return a topology with those hosts alone that a namespace is on: an inventory may have more than the lab."""
    used = {host_of(topology, name) for name in topology.namespaces}
    return topology.replace(hosts={name: host for name, host in topology.hosts.items() if name in used})


@frozen
class _Read:
    """An inventory without mistakes of its own, and how those are told that it has together with a topology."""

    name: str
    inventory: Inventory
    told: _Told

    @cached_property
    def places(self) -> Mapping[str, Keys]:
        """Return where it says of a namespace on which host that is."""
        return dict(_named(self.inventory))

    def place(self, path: Keys) -> Keys | None:
        """Return where in it stands what has this path in a topology; None where the topology itself says it."""
        match path:
            case ("hosts", *_):
                return path
            case ("namespaces", str(name), "host"):
                return self.places.get(name)
        return None

    def spread(self, values: Any) -> Any:
        """Return the plain values of a topology over the hosts of this inventory."""
        spaces = values.get("namespaces") if isinstance(values, dict) else None
        if not isinstance(spaces, dict):
            return values
        hosts = {name: host.replace(namespaces=()).written() for name, host in self.inventory.hosts.items()}
        placed = {name: self._placed(name, space) for name, space in spaces.items()}
        return {**values, "namespaces": placed, "hosts": hosts}

    def _placed(self, name: str, space: Any) -> Any:
        if name not in self.places or not (space is None or isinstance(space, dict)):
            return space
        return {**(space or {}), "host": self.places[name][1]}

    def unknown(self, values: Any) -> list[Wrong]:
        """Return each namespace that it names and that the values of a topology do not have."""
        spaces = values.get("namespaces") if isinstance(values, dict) else None
        return [
            Wrong(path, f"there is no namespace {name!r}", did_you_mean(name, spaces))
            for name, path in self.places.items()
            if isinstance(spaces, dict) and name not in spaces
        ]


def _read(path: Path) -> _Read:
    """Return an inventory. Raise UsageError, or its TopologyMistakes where it is wrong by itself."""
    name, values, told = _written(path)
    found, broken = read(Inventory, values)
    wrong = [Wrong(one.path, one.what, one.hint) for one in broken]
    mistakes = told(_named_twice(found) if found else wrong)
    if found is None or mistakes:
        raise TopologyMistakes(name, mistakes)
    return _Read(name, found, told)


def _written(path: Path) -> tuple[str, Any, _Told]:
    """Return what messages call an inventory, its values, and how its mistakes are told."""
    if not path.exists():
        hint = "an inventory is YAML with `hosts:` at its top, or one of Ansible"
        raise UsageError(f"there is no inventory {path}", "", hint)
    if path.is_file():
        text, name = text_of(path), name_of(path)
        try:
            tree = tree_of(text, name)
        except TopologyMistakes:  # INI, say, which Ansible reads
            if path.suffix in (".yaml", ".yml"):
                raise
        else:
            if isinstance(tree.root.value, dict) and "hosts" in tree.root.value:
                return name, tree.root.value, _located(tree, text, name)
    return str(path), {"hosts": ansible_inventory.hosts_in(path)}, _as_variables(path)


def _located(tree: Tree, text: str, name: str) -> _Told:
    def told(wrong: Sequence[Wrong]) -> tuple[Mistake, ...]:
        found = [*tree.findings, *((tree.position(path), what, hint) for path, what, hint in wrong)]
        return at_places(found, text, name)

    return told


def _as_variables(path: Path) -> _Told:
    """Tell mistakes of an inventory of Ansible by the names of its hosts and variables."""

    def told(wrong: Sequence[Wrong]) -> list[BuiltMistake]:
        return [BuiltMistake(f"{path}: {': '.join(_called(one.path))}", one.what, one.hint) for one in wrong]

    def _called(keys: Keys) -> list[str]:
        host, *key = map(str, keys[1:3])
        return [host, *(ansible_inventory.VARIABLES.get(each, "ansible_host") for each in key)]

    return told


def _named(inventory: Inventory) -> list[tuple[str, Keys]]:
    """Return the namespaces that an inventory names, and where."""
    return [
        (name, ("hosts", host, "namespaces", index))
        for host, said in inventory.hosts.items()
        for index, name in enumerate(said.namespaces)
    ]


def _named_twice(inventory: Inventory) -> list[Wrong]:
    first: dict[str, Keys] = {}
    wrong = []
    for name, path in _named(inventory):
        if name in first:
            wrong.append(Wrong(path, f"the namespace {name!r} is on {first[name][1]} already", "name it once"))
        first.setdefault(name, path)
    return wrong
