"""Neighbours that are known without being asked, as ip-neighbour(8) has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.topology.model.base import Model, key

if TYPE_CHECKING:
    from labctl.topology.fields import HostField, InterfaceName, Mac


class Neighbour(Model, called="a neighbour"):
    """A permanent entry of the neighbour table, as `ip neigh replace` takes it."""

    to: HostField = key(description="The address of the neighbour.", examples=["192.0.2.2"])
    lladdr: Mac | None = key(default=None, description="Its MAC address, for which it is not asked.")
    dev: InterfaceName = key(description="The interface that it is behind.", examples=["wan0"])
    proxy: bool = key(
        default=False,
        description="Requests for the address that come in by `dev` are answered in its place; without `lladdr`.",
    )
