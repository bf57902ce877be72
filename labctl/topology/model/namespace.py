"""A network namespace, and what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labctl.topology.model.base import Model, key
from labctl.topology.model.exec_line import ExecLine
from labctl.topology.model.files import File
from labctl.topology.model.interfaces import Interface
from labctl.topology.model.neighbours import Neighbour
from labctl.topology.model.programs import Program
from labctl.topology.model.routes import Route, Rule

if TYPE_CHECKING:
    from labctl.topology.fields import FilePath, HostName, InterfaceName, InterfaceNames, Ruleset, SysctlValue


class Namespace(Model, called="a namespace"):
    """A network namespace: interfaces, routes and sysctls of its own."""

    host: HostName | None = key(default=None, description="The host that it is on, where the lab is over several.")
    interfaces: dict[InterfaceName, Interface] = key(default={}, description="Interfaces by name.")
    routes: tuple[Route, ...] = key(default=(), description="Static routes.")
    rules: tuple[Rule, ...] = key(default=(), description="Rules that say which packets are looked up in which table.")
    nft: Ruleset | None = key(
        default=None, description="A ruleset in the language of nft(8), as block scalar (`nft: |`)."
    )
    masquerade: InterfaceNames = key(
        default=(), description="An interface, or a list: what is forwarded out of it is sent from its own address."
    )
    neighbours: tuple[Neighbour, ...] = key(default=(), description="Neighbours whose MAC address is known beforehand.")
    files: dict[FilePath, File] = key(
        default={}, description="Files and directories that its programs alone see, by path."
    )
    exec: tuple[ExecLine, ...] = key(
        default=(), description="Lines of shell that run once, in this order, when the lab is made."
    )
    sysctls: dict[str, SysctlValue] = key(
        default={}, description="Settings below net., for example net.ipv4.ip_forward: 1."
    )
    programs: tuple[Program, ...] = key(default=(), description="Programs that run in it for as long as the lab is up.")

    @classmethod
    def in_full(cls, written: Any) -> Any:
        """Return what a namespace is of which only the name is written."""
        return {} if written is None else written
