"""The topology file as a whole, and its JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from labctl.topology.fields import LabName, NamespaceName
from labctl.topology.model.base import Model
from labctl.topology.model.checks import Check
from labctl.topology.model.namespace import Namespace, nothing_is_empty
from labctl.topology.model.tunnels import TunnelEndpoint


class Topology(Model):
    """A lab: namespaces, the tunnels between them, and the checks that prove it."""

    name: LabName = Field(description="The name of the lab.", examples=["two-site"])
    description: str = Field("", description="What it shows, for a person.")
    namespaces: dict[NamespaceName, Annotated[Namespace, BeforeValidator(nothing_is_empty)]] = Field(
        min_length=1, description="Network namespaces by name.", examples=[{"siteA": {}}]
    )
    ttun: tuple[TunnelEndpoint, ...] = Field((), description="Tunnel endpoints.")
    checks: tuple[Check, ...] = Field((), description="What `labctl verify` proves.")


SCHEMA_ID = "urn:labctl:topology"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a topology file."""
    schema = Topology.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}
