"""The topology file as a whole, and its JSON Schema."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated, Any

from labctl.topology.model.base import Model, key
from labctl.topology.model.checks import Check
from labctl.topology.model.hosts import CableEnd, LabHost, Part
from labctl.topology.model.namespace import Namespace
from labctl.topology.model.tunnels import TunnelEndpoint

if TYPE_CHECKING:
    from labctl.topology.fields import ABOUT_HOSTS, HostName, LabName, NamespaceName


class Topology(Model, called="a topology"):
    """A lab: namespaces, the tunnels between them, and the checks that prove it.

    A program builds one from the words of a file, with mappings and lists of Python, or reads one with `load`.
    """

    name: LabName = key(description="The name of the lab.", examples=["two-site"])
    description: str = key(default="", description="What it shows, for a person.")
    namespaces: dict[NamespaceName, Namespace] = key(
        min_length=1,
        where_empty="a lab has at least one namespace, for example siteA: {}",
        description="Network namespaces by name.",
        examples=[{"siteA": {}}],
    )
    hosts: Annotated[dict[HostName, LabHost], ABOUT_HOSTS] = key(
        default={}, description="The machines that it is over; where absent it is on one, this one."
    )
    hosts_file: bool = key(default=True, description="false: namespaces do not know one another by name.")
    ttun: tuple[TunnelEndpoint, ...] = key(default=(), description="Tunnel endpoints.")
    checks: tuple[Check, ...] = key(default=(), description="What `labctl verify` proves.")
    part: Part | None = None  # labctl makes it (plan/parts.py)

    def __init__(self, **values: Any) -> None:
        """Build a topology. Raise TopologyMistakes with every mistake, each by the keys that lead to it."""
        from labctl.topology.built import checked  # which judges by rules that know this class

        vars(self).update(checked(values))

    def as_record(self) -> str:
        """Return it as JSON, as labctl records what is applied: with what no file has."""
        part = {"part": self.part.written()} if self.part else {}
        return json.dumps({**self.written(), **part})

    @classmethod
    def of_record(cls, text: str | bytes) -> Topology:
        """Return the topology of which this is the record. Raise ValueError where it is damaged."""
        values = json.loads(text)
        part = values.pop("part", None) if isinstance(values, dict) else None
        return cls.read(values).replace(part=Part.read(part) if part else None)

    @property
    def cables(self) -> tuple[CableEnd, ...]:
        """Return the ends here of cables to other hosts: none, where this is no part of a lab over several."""
        return self.part.cables if self.part else ()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Topology:
        """Return the topology in a file, or one that ships with labctl.

        Raise UsageError where it cannot be read, its FileMistakes where it is wrong.
        """
        from labctl.topology.load import load
        from labctl.topology.shipped import find

        return load(find(os.fspath(path)))

    @classmethod
    def loads(cls, text: str) -> Topology:
        """Return the topology in a text. Raise as `load` does."""
        from labctl.topology.load import loads

        return loads(text, "<text>", os.getcwd())


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a topology file."""
    from labctl.topology.json_schema import schema_of_file

    return schema_of_file(Topology, "urn:labctl:topology")
