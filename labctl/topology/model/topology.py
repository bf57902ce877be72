"""The topology file as a whole, and its JSON Schema."""

from __future__ import annotations

import os
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic.json_schema import SkipJsonSchema

from labctl.topology.fields import LabName, NamespaceName
from labctl.topology.model.base import OF_NO_FILE, Model
from labctl.topology.model.checks import Check
from labctl.topology.model.hosts import CableEnd, Hosts, Part
from labctl.topology.model.namespace import Namespace, nothing_is_empty
from labctl.topology.model.tunnels import TunnelEndpoint


class Topology(Model):
    """A lab: namespaces, the tunnels between them, and the checks that prove it.

    A program builds one from the words of a file, with mappings and lists of Python, or reads one with `load`.
    """

    name: LabName = Field(description="The name of the lab.", examples=["two-site"])
    description: str = Field("", description="What it shows, for a person.")
    namespaces: dict[NamespaceName, Annotated[Namespace, BeforeValidator(nothing_is_empty)]] = Field(
        min_length=1, description="Network namespaces by name.", examples=[{"siteA": {}}]
    )
    hosts: Hosts = Field({}, description="The machines that it is over; where absent it is on one, this one.")
    hosts_file: bool = Field(True, description="false: namespaces do not know one another by name.")
    ttun: tuple[TunnelEndpoint, ...] = Field((), description="Tunnel endpoints.")
    checks: tuple[Check, ...] = Field((), description="What `labctl verify` proves.")
    part: SkipJsonSchema[Annotated[Part | None, OF_NO_FILE]] = None

    def __init__(self, **values: Any) -> None:
        """Build a topology. Raise TopologyMistakes with every mistake, each by the keys that lead to it."""
        from labctl.topology.built import checked  # which judges by rules that know this class

        super().__init__(**checked(values))

    # What validates a file does not come by here, as with the constructor that this one stands for (pydantic).
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

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


SCHEMA_ID = "urn:labctl:topology"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a topology file."""
    schema = Topology.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}
