"""An inventory: the hosts of a lab, kept out of its topology file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labctl.topology.model.base import Model, key
from labctl.topology.model.hosts import LabHost

if TYPE_CHECKING:
    from labctl.topology.fields import HostName, NamespaceName


class InventoryHost(LabHost, called="a host of an inventory"):
    """A machine, and the namespaces of a lab that are on it."""

    namespaces: tuple[NamespaceName, ...] = key(
        default=(), description="The namespaces that are on it, whatever `host` the topology file has for them."
    )


class Inventory(Model, called="an inventory"):
    """The hosts of a lab."""

    hosts: dict[HostName, InventoryHost] = key(
        min_length=1, description="Hosts by name, each by what ssh calls it.", examples=[{"srv1": {}}]
    )


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of an inventory."""
    from labctl.topology.json_schema import schema_of_file

    return schema_of_file(Inventory, "urn:labctl:inventory")
