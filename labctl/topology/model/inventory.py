"""An inventory: the hosts of a lab, kept out of its topology file."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from labctl.topology.fields import NamespaceName
from labctl.topology.model.base import Model
from labctl.topology.model.hosts import LabHost
from labctl.topology.model.namespace import nothing_is_empty
from labctl.topology.values.hosts import HostName


class InventoryHost(LabHost):
    """A machine, and the namespaces of a lab that are on it."""

    namespaces: tuple[NamespaceName, ...] = Field(
        (), description="The namespaces that are on it, whatever `host` the topology file has for them."
    )


class Inventory(Model):
    """The hosts of a lab."""

    hosts: dict[HostName, Annotated[InventoryHost, BeforeValidator(nothing_is_empty)]] = Field(
        min_length=1, description="Hosts by name, each by what ssh calls it.", examples=[{"srv1": {}}]
    )


def inventory_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of an inventory."""
    return Inventory.model_json_schema()
