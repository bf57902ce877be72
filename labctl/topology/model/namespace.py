"""A network namespace, and what is in it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from labctl.topology.fields import InterfaceName, InterfaceNames, Ruleset, SysctlValue
from labctl.topology.model.base import Model
from labctl.topology.model.exec_line import Line
from labctl.topology.model.files import File
from labctl.topology.model.interfaces import Interface
from labctl.topology.model.neighbours import Neighbour
from labctl.topology.model.programs import Program
from labctl.topology.model.routes import Route, Rule, default_means_any
from labctl.topology.values.files import FilePath
from labctl.topology.values.hosts import HostName


def nothing_is_empty(value: Any) -> Any:
    """Return what a namespace, or a host, is of which only the name is written."""
    return {} if value is None else value


class Namespace(Model):
    """A network namespace: interfaces, routes and sysctls of its own."""

    host: HostName | None = Field(None, description="The host that it is on, where the lab is over several.")
    interfaces: dict[InterfaceName, Interface] = Field({}, description="Interfaces by name.")
    routes: tuple[Annotated[Route, BeforeValidator(default_means_any)], ...] = Field((), description="Static routes.")
    rules: tuple[Rule, ...] = Field((), description="Rules that say which packets are looked up in which table.")
    nft: Ruleset | None = Field(None, description="A ruleset in the language of nft(8), as block scalar (`nft: |`).")
    masquerade: InterfaceNames = Field(
        (), description="An interface, or a list: what is forwarded out of it is sent from its own address."
    )
    neighbours: tuple[Neighbour, ...] = Field((), description="Neighbours whose MAC address is known beforehand.")
    files: dict[FilePath, File] = Field({}, description="Files and directories that its programs alone see, by path.")
    exec: tuple[Line, ...] = Field((), description="Lines of shell that run once, in this order, when the lab is made.")
    sysctls: dict[str, SysctlValue] = Field({}, description="Settings below net., for example net.ipv4.ip_forward: 1.")
    programs: tuple[Program, ...] = Field((), description="Programs that run in it for as long as the lab is up.")
