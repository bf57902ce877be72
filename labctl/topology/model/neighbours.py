"""Neighbours that are known without being asked, as ip-neighbour(8) has them."""

from __future__ import annotations

from pydantic import Field

from labctl.topology.fields import HostField, InterfaceName, Mac
from labctl.topology.model.base import Model


class Neighbour(Model):
    """A permanent entry of the neighbour table, as `ip neigh replace` takes it."""

    to: HostField = Field(description="The address of the neighbour.", examples=["192.0.2.2"])
    lladdr: Mac | None = Field(None, description="Its MAC address, for which it is not asked.")
    dev: InterfaceName = Field(description="The interface that it is behind.", examples=["wan0"])
    proxy: bool = Field(
        False, description="Requests for the address that come in by `dev` are answered in its place; without `lladdr`."
    )
